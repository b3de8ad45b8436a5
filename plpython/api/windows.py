"""Windows: when runs may start. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ..ground.checks import check_name
from ..ground.errors import PgAgentError, invalid
from ..ground.exact_json import read_json, write_json
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.vocabulary import DAY_NUMBERS, SETS
from ..rules.spread import key_of
from ..rules.zones import check_zone
from ..runs.wake import wake
from .cron import both_days, is_reboot, parse_cron
from .kinds import check_kind
from .schedule_days import Days, check_numbers, check_together
from .schedules import READ_EVERY, flags

RULE = (*SETS, *(DAY_NUMBERS.keys() - SETS.keys()))

ADD = Statement(
    """
    INSERT INTO pgagent_py.job_window (winname, windesc, wingiven, winrules, winduration, wintimezone, winclosed)
    VALUES ($1, coalesce($2, ''), $3, $4, $5, $6, coalesce($7, false)) ON CONFLICT DO NOTHING RETURNING winname""",
    "text",
    "text",
    "jsonb",
    "jsonb",
    "interval",
    "text",
    "bool",
)


def add_window(
    plpy: Plpy,
    caller: str,
    name: str | None = None,
    cron: str | None = None,
    minutes: Sequence[int] | None = None,
    hours: Sequence[int] | None = None,
    weekdays: Sequence[int] | None = None,
    monthdays: Sequence[int] | None = None,
    months: Sequence[int] | None = None,
    nth: Sequence[int] | None = None,
    workdays: Sequence[int] | None = None,
    duration: str | None = None,
    timezone: str | None = None,
    closed: bool | None = None,
    description: str | None = None,
) -> None:
    """Add the window *name*, which opens by cron or the sets, each time for *duration*."""
    given: Row = dict(zip(SETS, (minutes, hours, weekdays, monthdays, months)))
    given |= {"nth": nth, "workdays": workdays, "cron": cron, "duration": duration}
    given |= {"timezone": timezone, "closed": closed, "description": description}
    if not ADD(plpy, name, *_checked(plpy, name, given)):
        raise PgAgentError(
            f'window name "{name}" is taken', hint="Drop it first with drop_window.", sqlstate="42710"
        )
    wake(plpy)


def _checked(plpy: Plpy, name: str | None, given: Row) -> tuple[Any, ...]:
    """Return the parameters of ADD and PUT behind the name."""
    _check_name(name)
    opens = _filled({argument: given[argument] for argument in ("cron", *RULE)})
    rules = _read_rules(plpy, name or "", opens)
    duration = _check_duration(plpy, given["duration"])
    if given["timezone"] is not None:
        check_zone(plpy, given["timezone"])
    return (
        given["description"],
        write_json(opens),
        write_json(rules),
        duration,
        given["timezone"],
        given["closed"],
    )


def _check_name(name: str | None) -> None:
    """Refuse a name that a list of names could not hold."""
    check_name(name)
    if name is not None and ("," in name or name != name.strip()):
        hint = "Commas separate names, and blanks around them do not count."
        raise invalid("name", f'name "{name}" has a comma, or blanks around it', hint)


def _read_rules(plpy: Plpy, name: str, given: Row) -> list[Row]:
    """Return the rules that open a window: the numbers of the sets of each, those that are not any."""
    numbers = _check_numbers(plpy, given)
    if "cron" not in given:
        return [_together(numbers)]
    cron = given["cron"]
    for argument in SETS:
        if argument in given:
            hint = "Give cron, or the sets and their like."
            raise invalid(argument, f"both cron and {argument} are given", hint)
    if is_reboot(cron):
        raise invalid("cron", "cron can't be @reboot: a window opens at times", "Give cron five fields.")
    if said := both_days(cron):
        plpy.notice(said)
    return [_together(_filled(way._asdict()) | numbers) for way in parse_cron(cron, key_of(name, ""))]


def _check_numbers(plpy: Plpy, given: Row) -> Row:
    for argument in RULE:
        check = flags if argument in SETS else check_numbers
        check(plpy, argument, given.get(argument, ()))
    return {argument: sorted(set(given[argument])) for argument in RULE if argument in given}


def _together(rule: Row) -> Row:
    check_together(
        Days()._replace(**{name: rule[name] for name in RULE if name in rule and name in Days._fields})
    )
    return rule


def _filled(rule: Row) -> Row:
    return {name: given for name, given in rule.items() if given}


LONGEST = "366 days"
IS_LONG = Statement("SELECT $1 > $2 AS long", "interval", "interval")


def _check_duration(plpy: Plpy, duration: str | None) -> str:
    """Refuse what is no number of whole seconds, or too long."""
    if duration is None:
        raise invalid("duration", "duration is missing", "Give for how long the window opens, such as '8 h'.")
    (read,) = READ_EVERY(plpy, duration)
    if read["months"]:
        hint = "Give days or less."
        raise invalid("duration", f"duration can't be {duration}: months have no fixed length", hint)
    if (
        read["uneven"]
        or IS_LONG(plpy, duration, LONGEST)[0]["long"]
        or not IS_LONG(plpy, duration, "0")[0]["long"]
    ):
        raise invalid("duration", f"duration can't be {duration}", f"Give whole seconds, up to {LONGEST}.")
    return duration


DROP = Statement("DELETE FROM pgagent_py.job_window w WHERE w.winname = $1 RETURNING w.winname", "text")
USERS = Statement(
    """
SELECT 'job ' || o.jobid AS user FROM pgagent_py.job_option o WHERE $1 = ANY (string_to_array(o.jobwindow, ', '))
 UNION ALL
SELECT format('class "%s"', c.jclname) FROM pgagent_py.job_limit l JOIN pgagent.pga_jobclass c ON c.jclid = l.jclid
 WHERE $1 = ANY (string_to_array(l.jobwindow, ', '))
 ORDER BY 1 LIMIT 20""",
    "text",
)


def drop_window(plpy: Plpy, caller: str, name: str | None = None) -> None:
    """Delete the window *name*, unless a job or a class has it."""
    if name is None:
        raise invalid("name", "name is missing", "Give the name of a window.")
    # It waits for those that are giving it to a job, and sees that then.
    if not DROP(plpy, name):
        raise invalid("name", f'name: window "{name}" does not exist', UNKNOWN_HINT)
    users = [row["user"] for row in USERS(plpy, name)]
    if users:
        raise PgAgentError(
            f'window name "{name}" is in use: {", ".join(users)}',
            hint="Take it off with alter_job or set_limit first: \"window\" => ''.",
            sqlstate="2BP01",
        )
    wake(plpy)


FIND = Statement("SELECT FROM pgagent_py.job_window w WHERE w.winname = $1 FOR KEY SHARE", "text")
UNKNOWN_HINT = "Look at pgagent_py.windows, or add it with add_window."
MOST_NAMES = 100


def check_windows(plpy: Plpy, argument: str, names: str) -> str:
    """Return the names of windows as they are kept; '' takes them away."""
    if not names.strip():
        return ""
    found = sorted({name.strip() for name in names.split(",")})
    if len(found) > MOST_NAMES:
        raise invalid(argument, f"{argument} has {len(found)} names", f"Give {MOST_NAMES} at most.")
    for name in found:
        if not FIND(plpy, name):
            raise invalid(argument, f'{argument}: window "{name}" does not exist', UNKNOWN_HINT)
    return ", ".join(found)


def check_window_end(plpy: Plpy, argument: str, word: str) -> str:
    """Refuse what can't become of a run whose window closes; '' is the default."""
    if word not in ("", "finish", "stop"):
        raise invalid(argument, f"{argument} can't be {word}", "Give finish or stop.")
    return word or "finish"


READ = Statement("""
SELECT w.winname, w.windesc, w.wingiven::text AS wingiven, w.winduration::text AS winduration, w.wintimezone,
       w.winclosed FROM pgagent_py.job_window w ORDER BY w.winname""")


def export_windows(plpy: Plpy) -> dict[str, Row]:
    """Return the windows by name, with the arguments of add_window() that are not at their default."""
    return {row["winname"]: _filled(_fields(plpy, row)) for row in READ(plpy)}


def _fields(plpy: Plpy, row: Row) -> Row:
    try:
        given = read_json(row["wingiven"])
    except (ValueError, RecursionError):
        plpy.warning(
            f"pgagent_py: when window \"{row['winname']}\" opens can't be exported: it can't be read"
        )
        given = {}
    return {
        "description": row["windesc"],
        **given,
        "duration": row["winduration"],
        "timezone": row["wintimezone"],
        "closed": row["winclosed"],
    }


CHANGED = ("windesc", "wingiven", "winrules", "winduration", "wintimezone", "winclosed")
EXCLUDED = ", ".join(f"excluded.{column}" for column in CHANGED)
PUT = Statement(
    f"""
    INSERT INTO pgagent_py.job_window AS w (winname, {", ".join(CHANGED)})
    VALUES ($1, coalesce($2, ''), $3, $4, $5, $6, coalesce($7, false))
        ON CONFLICT (winname) DO UPDATE SET ({", ".join(CHANGED)}) = ROW({EXCLUDED})
     WHERE ({", ".join(f"w.{column}" for column in CHANGED)}) IS DISTINCT FROM ({EXCLUDED})""",
    *ADD.types,
)


WINDOW_FIELDS = (*RULE, "cron", "duration", "timezone", "closed", "description")


def import_window(plpy: Plpy, name: str, value: Row) -> None:
    """Make the window *name* what a document says."""
    kinds = {argument: str(p.annotation) for argument, p in inspect.signature(add_window).parameters.items()}
    for argument, item in value.items():
        check_kind(argument, kinds[argument], item)
    PUT(plpy, name, *_checked(plpy, name, dict.fromkeys(WINDOW_FIELDS) | value))
