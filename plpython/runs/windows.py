"""Windows in a turn: which jobs they hold back."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..rules.read_windows import read_windows
from ..rules.windows import split_names


class Shut(NamedTuple):
    """What keeps jobs from starting now: parameters of the statements with HELD_BY_WINDOW."""

    blocked: list[str]  # closed windows that are open
    open: list[str]  # other windows that are open
    quiet: list[str]  # closed windows that are not open
    classes: list[int]  # classes (jclid) that their own windows hold back


NOTHING_SHUT = Shut([], [], [], [])

# What run_now() has asked for: on a row j of pga_job.
ORDERED = """EXISTS (SELECT FROM pgagent_py.job_origin g
                WHERE g.jobid = ANY (ARRAY[j.jobid]) AND g.jobnextrun = j.jobnextrun AND g.jlgtrigger = 'n')"""

# On a due job j with options o, which may be missing: windows keep it from starting. A list of names is compared as a whole, so
# that a turn asks nothing of single jobs. A window that has come since they were read keeps its jobs from starting in this turn.
HELD_BY_WINDOW = f"""
       (string_to_array(o.jobwindow, ', ') && {{blocked}}
        OR NOT (string_to_array(o.jobwindow, ', ') && {{open}} OR string_to_array(o.jobwindow, ', ') <@ {{quiet}})
        OR j.jobjclid = ANY ({{classes}})) IS TRUE AND NOT {ORDERED}"""
# In the claim that does not choose, as NO_ORDERS.
NO_WINDOWS = "AND NOT EXISTS (SELECT FROM pgagent_py.job_window)"
SHUT_TYPES = ("text[]", "text[]", "text[]", "int4[]")


def held_by_window(first: int) -> str:
    """Return HELD_BY_WINDOW with a Shut as the parameters from number *first* on."""
    names = {name: f"${number}" for number, name in enumerate(Shut._fields, first)}
    return HELD_BY_WINDOW.format(**names)


# On the same: from when on it is late. That is the time it was due, or the opening of the window that it has waited for.
CLASS_WINDOW = "(SELECT l.jobwindow FROM pgagent_py.job_limit l WHERE l.jclid = j.jobjclid)"
COULD_START = f"""
       CASE WHEN o.jobwindow IS NULL AND {CLASS_WINDOW} IS NULL OR {ORDERED} THEN j.jobnextrun
            ELSE to_timestamp(pgagent_py._start_time(
                     o.jobwindow, {CLASS_WINDOW}, extract(epoch FROM j.jobnextrun)::float8, false)) END"""

CLASSES = Statement("SELECT l.jclid, l.jobwindow FROM pgagent_py.job_limit l WHERE l.jobwindow IS NOT NULL")


def shut_now(plpy: Plpy) -> tuple[Shut, float | None]:
    """Return what windows hold back now, and in how many seconds one of them opens or closes; None for never."""
    present = read_windows(plpy)
    windows, now = present["windows"], present["now"]
    if not windows:
        return NOTHING_SHUT, None
    found = Shut([], [], [], [])
    for name, window in windows.items():
        is_open = window.is_open(now)
        if window.closed:
            (found.blocked if is_open else found.quiet).append(name)
        elif is_open:
            found.open.append(name)
    for row in CLASSES(plpy):
        if windows.shut(split_names(row["jobwindow"]), now):
            found.classes.append(row["jclid"])
    change = windows.change(now)
    return found, None if change == inf else change - now
