"""Exceptions of schedules. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.bounds import check_count
from ..ground.checks import check_schedule
from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import missing

INSERT = Statement(
    "INSERT INTO pgagent_py.every_exception (jexscid, jexdate, jextime) VALUES ($1, $2, $3) RETURNING jexid",
    "int4",
    "date",
    "time",
)


JOB_OF_SCHEDULE = Statement("SELECT s.jscjobid FROM pgagent.pga_schedule s WHERE s.jscid = $1", "int4")


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
    jexid: int = INSERT(plpy, schedule, on_date, at_time)[0]["jexid"]
    check_count(plpy, JOB_OF_SCHEDULE(plpy, schedule)[0]["jscjobid"], exceptions=None)
    return jexid


DROP = Statement("DELETE FROM pgagent_py.every_exception e WHERE e.jexid = $1 RETURNING e.jexid", "int4")


def drop_exception(plpy: Plpy, caller: str, exception: int | None = None) -> None:
    """Delete *exception*."""
    if not DROP(plpy, exception):
        raise missing("exception", exception)
