"""Times that the schedules of a job name in a span, as if they had begun before it: what backfill() runs the job for."""

from __future__ import annotations

from math import inf

from ..ground.errors import PgAgentError
from ..ground.plpy import Plpy
from ..ground.problems import is_passing
from .cancels import heeding_cancels
from .next_run import READ_JOB, read_instant
from .rule_row import RuleRow, rule_of
from .schedule import MICRO, Instant, Schedule, in_seconds, merge_runs
from .zones import Zone


def times_between(plpy: Plpy, job: int, after: str, until: str, most: int) -> list[str]:
    """Return at most *most* times later than *after* and earlier than *until*. All are microseconds since 1970."""
    first, end = read_instant(after), read_instant(until)
    heed = heeding_cancels(plpy)
    rules = []
    for row in READ_JOB(plpy, job):
        try:
            schedule, zone = rule_of(plpy, row)
            rules.append((begun_before(schedule, first), zone))
            heed(*rules[-1], first)
        except Exception as error:
            if is_passing(plpy, error):
                raise
            raise _unreadable(row, error) from None

    def find(schedule: Schedule, zone: Zone, last: Instant) -> Instant | None:
        found = heed(schedule, zone, last)
        return None if found is None or found >= end else found

    return [str(round(run * MICRO)) for run in merge_runs(rules, first, most, find)]


def _unreadable(row: RuleRow, error: Exception) -> PgAgentError:
    message = f"schedule {row['jscid']} of job {row['jscjobid']} has no times: {error}"
    return PgAgentError(message, hint="Repair it by alter_schedule().", sqlstate="55000")


def begun_before(schedule: Schedule, time: Instant) -> Schedule:
    """Return *schedule* as it is if it had begun at *time* or earlier; an interval keeps its step."""
    start = schedule.start
    if start == inf or start <= time - schedule.delay:
        return schedule
    if schedule.every is None:
        return schedule._replace(start=-inf)
    micros, step = round(start * MICRO), schedule.every * MICRO
    back = -(-(micros - round((time - schedule.delay) * MICRO)) // step)
    return schedule._replace(start=in_seconds(micros - back * step))
