"""Calendars: named sets of dates, such as public holidays, on which schedules do not fire, or on which alone they do.

Verbs of the SQL API, as in jobs.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.checks import check_name, check_schedule
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy

ADD = Statement(
    """
    INSERT INTO pgagent_py.calendar (calname, caldesc, calweekend) VALUES ($1, coalesce($2, ''), $3)
        ON CONFLICT DO NOTHING RETURNING calname""",
    "text",
    "text",
    "int4[]",
)
ADD_DAYS = Statement(
    "INSERT INTO pgagent_py.calendar_day (calname, calday) SELECT $1, d FROM unnest($2) d ON CONFLICT DO NOTHING",
    "text",
    "date[]",
)


def add_calendar(
    plpy: Plpy,
    caller: str,
    name: str | None = None,
    days: Sequence[str] | None = None,
    description: str | None = None,
    weekend: Sequence[int] | None = None,
) -> None:
    """Add the calendar *name* with *days*; *weekend* are the weekdays that are no working days."""
    check_name(name)
    if not ADD(plpy, name, description, check_weekend(weekend)):
        raise PgAgentError(
            f'calendar name "{name}" is taken', hint="Change it with alter_calendar.", sqlstate="42710"
        )
    ADD_DAYS(plpy, name, _checked("days", days))


DESCRIBE = Statement(
    "UPDATE pgagent_py.calendar c SET caldesc = $2 WHERE c.calname = $1 AND $2 IS NOT NULL", "text", "text"
)
SET_WEEKEND = Statement(
    "UPDATE pgagent_py.calendar c SET calweekend = $2 WHERE c.calname = $1", "text", "int4[]"
)
DROP_DAYS = Statement(
    "DELETE FROM pgagent_py.calendar_day c WHERE c.calname = $1 AND c.calday = ANY ($2)", "text", "date[]"
)


def alter_calendar(
    plpy: Plpy,
    caller: str,
    name: str | None = None,
    add_days: Sequence[str] | None = None,
    drop_days: Sequence[str] | None = None,
    description: str | None = None,
    weekend: Sequence[int] | None = None,
) -> None:
    """Change what is given of the calendar *name*; the next runs of the jobs that it is attached to follow."""
    _check_calendar(plpy, "name", name)
    DESCRIBE(plpy, name, description)
    if weekend is not None:
        SET_WEEKEND(plpy, name, check_weekend(weekend))
    DROP_DAYS(plpy, name, _checked("drop_days", drop_days))
    ADD_DAYS(plpy, name, _checked("add_days", add_days))


FIND_ATTACHED = Statement(
    "SELECT c.jscid FROM pgagent_py.schedule_calendar c WHERE c.calname = $1 ORDER BY 1", "text"
)
DROP = Statement("DELETE FROM pgagent_py.calendar c WHERE c.calname = $1", "text")


def drop_calendar(plpy: Plpy, caller: str, name: str | None = None) -> None:
    """Delete the calendar *name*, unless it is attached to a schedule."""
    _check_calendar(plpy, "name", name)
    attached = [str(row["jscid"]) for row in FIND_ATTACHED(plpy, name)]
    if attached:
        raise PgAgentError(
            f'calendar name "{name}" is attached to schedules: {", ".join(attached)}',
            hint="Take it off with detach_calendar first.",
            sqlstate="2BP01",
        )
    DROP(plpy, name)


# ATTACH refers to the row of options: it needs a statement of its own before.
MAKE_OPTIONS = Statement(
    "INSERT INTO pgagent_py.schedule_option (jscid) VALUES ($1) ON CONFLICT DO NOTHING", "int4"
)
ATTACH = Statement(
    """
    INSERT INTO pgagent_py.schedule_calendar (jscid, calname, calonly) VALUES ($1, $2, $3)
        ON CONFLICT (jscid, calname) DO UPDATE SET calonly = excluded.calonly""",
    "int4",
    "text",
    "bool",
)


def attach_calendar(
    plpy: Plpy,
    caller: str,
    schedule: int | None = None,
    calendar: str | None = None,
    only_days: bool | None = None,
) -> None:
    """Keep *schedule* from firing on the days of *calendar*, or on all other days if *only_days*."""
    check_schedule(plpy, schedule)
    _check_calendar(plpy, "calendar", calendar)
    MAKE_OPTIONS(plpy, schedule)
    ATTACH(plpy, schedule, calendar, bool(only_days))


DETACH = Statement(
    "DELETE FROM pgagent_py.schedule_calendar c WHERE c.jscid = $1 AND c.calname = $2 RETURNING c.jscid",
    "int4",
    "text",
)


def detach_calendar(
    plpy: Plpy,
    caller: str,
    schedule: int | None = None,
    calendar: str | None = None,
) -> None:
    """Take *calendar* off *schedule*."""
    check_schedule(plpy, schedule)
    _check_calendar(plpy, "calendar", calendar)
    if not DETACH(plpy, schedule, calendar):
        hint = "Nothing is to be done."
        raise invalid("calendar", f'calendar "{calendar}" is not attached to schedule {schedule}', hint)


FIND = Statement("SELECT FROM pgagent_py.calendar c WHERE c.calname = $1", "text")


def _check_calendar(plpy: Plpy, argument: str, name: str | None) -> None:
    if name is None:
        raise invalid(argument, f"{argument} is missing", "Give the name of a calendar.")
    if not FIND(plpy, name):
        hint = "Look at pgagent_py.calendars, or add it with add_calendar."
        raise invalid(argument, f'{argument}: calendar "{name}" does not exist', hint)


def _checked(argument: str, days: Sequence[str | None] | None) -> list[str]:
    given = [day for day in days or () if day is not None and "infinity" not in day]
    if len(given) != len(days or ()):
        raise invalid(argument, f"{argument} holds NULL or infinity", "Give dates.")
    return given


def check_weekend(weekend: Sequence[int] | None) -> list[int] | None:
    """Refuse what are no weekdays; return them in order."""
    for day in weekend or ():
        if not isinstance(day, int) or not 0 <= day <= 6:
            shown = "NULL" if day is None else day
            raise invalid("weekend", f"weekend can't be {shown}", "Give weekdays, 0 to 6 from Sunday.")
    return None if weekend is None else sorted(set(weekend))
