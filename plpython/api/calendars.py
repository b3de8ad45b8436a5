"""Calendars: named sets of dates, such as public holidays, on which schedules do not fire, or on which alone they do.

Verbs of the SQL API, as in jobs.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ground.checks import check_schedule
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run

ADD_DAYS = """
INSERT INTO pgagent_py.calendar_day (calname, calday) SELECT $1, d FROM unnest($2) d ON CONFLICT DO NOTHING"""
DROP_DAYS = "DELETE FROM pgagent_py.calendar_day c WHERE c.calname = $1 AND c.calday = ANY ($2)"

ATTACH = """
INSERT INTO pgagent_py.schedule_calendar (jscid, calname, calonly) VALUES ($1, $2, $3)
    ON CONFLICT (jscid, calname) DO UPDATE SET calonly = excluded.calonly"""
DETACH = "DELETE FROM pgagent_py.schedule_calendar c WHERE c.jscid = $1 AND c.calname = $2 RETURNING c.jscid"


def add_calendar(
    plpy: Any,
    caller: str,
    name: str | None = None,
    days: Sequence[str] | None = None,
    description: str | None = None,
) -> None:
    """Add the calendar *name* with *days*."""
    if name is None or not name.strip():
        raise invalid("name", "name is missing", "Give name => '...'.")
    insert = """
        INSERT INTO pgagent_py.calendar (calname, caldesc) VALUES ($1, coalesce($2, ''))
            ON CONFLICT DO NOTHING RETURNING calname"""
    if not run(plpy, insert, ["text", "text"], [name, description]):
        raise PgAgentError(
            f'calendar name "{name}" is taken', hint="Change it with alter_calendar.", sqlstate="42710"
        )
    run(plpy, ADD_DAYS, ["text", "date[]"], [name, _checked("days", days)])


def alter_calendar(
    plpy: Any,
    caller: str,
    name: str | None = None,
    add_days: Sequence[str] | None = None,
    drop_days: Sequence[str] | None = None,
    description: str | None = None,
) -> None:
    """Change what is given of the calendar *name*; the next runs of the jobs that it is attached to follow."""
    _check_calendar(plpy, "name", name)
    update = "UPDATE pgagent_py.calendar SET caldesc = $2 WHERE calname = $1 AND $2 IS NOT NULL"
    run(plpy, update, ["text", "text"], [name, description])
    run(plpy, DROP_DAYS, ["text", "date[]"], [name, _checked("drop_days", drop_days)])
    run(plpy, ADD_DAYS, ["text", "date[]"], [name, _checked("add_days", add_days)])


def drop_calendar(plpy: Any, caller: str, name: str | None = None) -> None:
    """Delete the calendar *name*, unless a schedule hangs on it."""
    _check_calendar(plpy, "name", name)
    find = "SELECT c.jscid FROM pgagent_py.schedule_calendar c WHERE c.calname = $1 ORDER BY 1"
    attached = [str(row["jscid"]) for row in run(plpy, find, ["text"], [name])]
    if attached:
        raise PgAgentError(
            f'calendar name "{name}" is attached to schedules: {", ".join(attached)}',
            hint="Take it off with detach_calendar first.",
            sqlstate="2BP01",
        )
    run(plpy, "DELETE FROM pgagent_py.calendar c WHERE c.calname = $1", ["text"], [name])


def attach_calendar(
    plpy: Any,
    caller: str,
    schedule: int | None = None,
    calendar: str | None = None,
    only_days: bool | None = None,
) -> None:
    """Keep *schedule* from firing on the days of *calendar*, or on all other days if *only_days*."""
    check_schedule(plpy, schedule)
    _check_calendar(plpy, "calendar", calendar)
    # Two statements: the second refers to the row that the first makes.
    insert = "INSERT INTO pgagent_py.schedule_option (jscid) VALUES ($1) ON CONFLICT DO NOTHING"
    run(plpy, insert, ["int4"], [schedule])
    run(plpy, ATTACH, ["int4", "text", "bool"], [schedule, calendar, bool(only_days)])


def detach_calendar(
    plpy: Any,
    caller: str,
    schedule: int | None = None,
    calendar: str | None = None,
) -> None:
    """Take *calendar* off *schedule*."""
    check_schedule(plpy, schedule)
    _check_calendar(plpy, "calendar", calendar)
    if not run(plpy, DETACH, ["int4", "text"], [schedule, calendar]):
        raise invalid(
            "calendar",
            f'calendar "{calendar}" is not attached to schedule {schedule}',
            "Nothing is to be done.",
        )


def _check_calendar(plpy: Any, argument: str, name: str | None) -> None:
    if name is None:
        raise invalid(argument, f"{argument} is missing", "Give the name of a calendar.")
    if not run(plpy, "SELECT FROM pgagent_py.calendar c WHERE c.calname = $1", ["text"], [name]):
        hint = "Look at pgagent_py.calendars, or add it with add_calendar."
        raise invalid(argument, f'{argument}: calendar "{name}" does not exist', hint)


def _checked(argument: str, days: Sequence[str | None] | None) -> list[str]:
    given = [day for day in days or () if day is not None and "infinity" not in day]
    if len(given) != len(days or ()):
        raise invalid(argument, f"{argument} holds NULL or infinity", "Give dates.")
    return given
