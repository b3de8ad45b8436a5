"""The windows as the tables have them now, and what the statements of a turn need of them."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import is_passing
from ..ground.vocabulary import SETS
from .day_rules import DayRule
from .next_run import timestamp
from .schedule import Schedule, compile_schedule
from .windows import Window, Windows, split_names
from .zones import Zone, get_zone


class WindowRow(TypedDict):
    """A row of the view window_rule, and when its transaction began."""

    winname: str
    winclosed: bool
    rules: str
    duration: float
    timezone: str
    now: float


READ = Statement(
    "SELECT r.*, extract(epoch FROM now())::float8 AS now FROM pgagent_py.window_rule r", row=WindowRow
)

# Windows that the session has compiled, by all that makes them.
_compiled: dict[tuple[object, ...], Window] = {}
MOST_COMPILED = 1000
_present: Windows | None = None  # as read last
_starts: dict[tuple[str | None, str | None, float], float] = {}  # what was asked of them since
MOST_STARTS = 10_000


class Present(TypedDict):
    """The windows, and the time that they are asked for: that of the transaction."""

    windows: Windows
    now: float


def read_windows(plpy: Plpy) -> Present:
    """Return the windows as they are now."""
    global _present
    rows = READ(plpy)
    if len(_compiled) > MOST_COMPILED:
        _compiled.clear()
    before = {} if _present is None else dict(_present.items())
    found = {row["winname"]: _window(plpy, row) for row in rows}
    if found != before:
        _starts.clear()
    _present = Windows(found)
    return {"windows": _present, "now": rows[0]["now"] if rows else 0.0}


def _window(plpy: Plpy, row: WindowRow) -> Window:
    key = row["rules"], row["duration"], row["timezone"], row["winclosed"]
    window = _compiled.get(key)
    if window is None:
        window = _compile(plpy, row)
        if not window.broken:
            _compiled[key] = window
    return window


def _compile(plpy: Plpy, row: WindowRow) -> Window:
    """Compile a window. One that makes the server fail is broken: an error here would keep all jobs from starting."""
    rules: list[tuple[Schedule, Zone]] = []
    broken = None
    try:
        zone = get_zone(plpy, row["timezone"])
        zone.segment(int(row["now"]))
        rules = [(_schedule(rule, row["timezone"]), zone) for rule in json.loads(row["rules"])]
    except Exception as error:
        if is_passing(plpy, error):
            raise
        broken = error
    return Window(rules, int(row["duration"]), row["winclosed"], broken)


def _schedule(rule: dict[str, Any], zone: str) -> Schedule:
    """Return the schedule that opens a window. Its working days know weekends only."""

    def flags(name: str, first: int, last: int) -> str:
        numbers = rule.get(name, ())
        return f"{{{','.join('t' if n in numbers else 'f' for n in range(first, last + 1))}}}"

    minutes, hours, weekdays, _, months = (flags(name, *limits) for name, limits in SETS.items())
    days = DayRule(
        tuple(rule["monthdays"]) if rule.get("monthdays") else None,
        tuple(rule.get("nth", ())),
        tuple(rule.get("workdays", ())),
        rule.get("roll", ""),
    )
    sets = minutes, hours, weekdays, "{f}", months
    return compile_schedule(*sets, None, None, zone, rule=days if any(days[:4]) else None)


def start_time(
    plpy: Plpy, job_windows: str | None, class_windows: str | None, at: float | None, fresh: bool
) -> float | None:
    """Return when a job with these windows may start first, at *at* or later: epoch seconds, infinity for never.

    *fresh*: read the windows. A turn has done so.
    """
    if at is None:
        return None
    present = read_windows(plpy)["windows"] if fresh or _present is None else _present
    key = job_windows, class_windows, at
    if key not in _starts:
        if len(_starts) >= MOST_STARTS:
            _starts.clear()
        _starts[key] = present.start(split_names(job_windows, class_windows), at)
    return _starts[key]


def window_times(plpy: Plpy) -> list[tuple[str, bool, str | None, str | None, str | None]]:
    """Return of each window whether it is open, until when, when it opens next, and why nobody can say that."""
    present = read_windows(plpy)
    return [
        (name, *_times(window, present["now"]), str(window.broken) if window.broken else None)
        for name, window in present["windows"].items()
    ]


def _times(window: Window, now: float) -> tuple[bool, str | None, str | None]:
    found = None if window.broken else window.opening(now)
    if found is None:
        return False, None, None
    if found.opens > now:
        return False, None, timestamp(found.opens)
    if found.closes != found.known:
        return True, None, None
    following = window.opening(found.closes)
    return True, timestamp(found.closes), None if following is None else timestamp(following.opens)
