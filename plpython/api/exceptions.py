"""Adding exceptions of schedules. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.checks import check_schedule
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy

INSERT = Statement(
    "INSERT INTO pgagent.pga_exception (jexscid, jexdate, jextime) VALUES ($1, $2, $3) RETURNING jexid",
    "int4",
    "date",
    "time",
)


def add_exception(
    plpy: Plpy,
    caller: str,
    schedule: int | None = None,
    on_date: str | None = None,
    at_time: str | None = None,
) -> int:
    """Keep *schedule* from firing on a date, at a time of every day, or at that time of that date; return the id."""
    check_schedule(plpy, schedule)
    if on_date is None and at_time is None:
        raise invalid("on_date", "neither on_date nor at_time is given", "Give one of them or both.")
    if on_date in ("infinity", "-infinity"):
        raise invalid("on_date", f"on_date can't be {on_date}", "Give a date.")
    if at_time is not None and at_time.startswith("24:"):
        raise invalid("at_time", f"at_time can't be {at_time}", "Give a time from 00:00 to 23:59.")
    try:
        jexid: int = INSERT(plpy, schedule, on_date, at_time)[0]["jexid"]
    except plpy.spiexceptions.UniqueViolation:
        raise PgAgentError(
            f"there is an exception on_date {on_date} at_time {at_time} already",
            hint="pgAgent's tables hold a date with a time once for all schedules: block the whole date, or another minute.",
            sqlstate="23505",
        ) from None
    return jexid
