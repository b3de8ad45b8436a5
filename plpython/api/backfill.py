"""Running a job for the times of a span. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.checks import check_job, check_parameters
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import missing
from ..rules.backfill import times_between
from ..runs.wake import wake
from .runs import check_due

MOST_TIMES, MOST_OPEN, MOST_ENDED = 100_000, 100, 20

SPAN = Statement(
    """
SELECT $1 < $2 AS sound, pgagent_py._micros($1 - interval '1 us')::text AS after, pgagent_py._micros($2)::text AS until""",
    "timestamptz",
    "timestamptz",
)
FORGET_ENDED = Statement(
    f"""
DELETE FROM pgagent_py.backfill b WHERE b.bflid IN (
       SELECT e.bflid FROM pgagent_py.backfill e WHERE e.jobid = $1 AND e.bflended IS NOT NULL AND e.bflrun IS NULL
        ORDER BY e.bflid DESC OFFSET {MOST_ENDED - 1})""",
    "int4",
)
COUNT_OPEN = Statement(
    "SELECT count(*) AS open FROM pgagent_py.backfill b WHERE b.jobid = $1 AND b.bflended IS NULL", "int4"
)
ADD = Statement(
    """
INSERT INTO pgagent_py.backfill (jobid, bflfrom, bfluntil, bflparameters, bflstop, bflby, bfltimes, bflpast)
VALUES ($1, $2, $3, $4, $5, pgagent_py._asking_role(), $6, $2::timestamptz - interval '1 us') RETURNING bflid""",
    *("int4", "timestamptz", "timestamptz", "jsonb", "bool", "int4"),
)


def backfill(
    plpy: Plpy,
    caller: str,
    job: int,
    from_: str,
    until: str,
    parameters: str | None = None,
    stop_on_failure: bool | None = None,
) -> int:
    """Run *job* for each time that its enabled schedules name from *from_* on, before *until*."""
    check_job(plpy, job)
    check_due(plpy, "from", from_)
    check_due(plpy, "until", until)
    (span,) = SPAN(plpy, from_, until)
    if not span["sound"]:
        raise invalid("until", f"until can't be {until}", "Give a time that is later than from.")
    if parameters is not None:
        check_parameters(plpy, "parameters", parameters)
    times = len(times_between(plpy, job, span["after"], span["until"], MOST_TIMES + 1))
    if times > MOST_TIMES:
        raise invalid(
            "until", f"until {until} there are more than {MOST_TIMES} times", "Give a shorter span."
        )
    FORGET_ENDED(plpy, job)
    if COUNT_OPEN(plpy, job)[0]["open"] >= MOST_OPEN:
        raise PgAgentError(
            f"job {job} has {MOST_OPEN} backfills in progress",
            hint="Cancel one by cancel_backfill().",
            sqlstate="54000",
        )
    (added,) = ADD(plpy, job, from_, until, parameters, bool(stop_on_failure), times)
    wake(plpy)
    return int(added["bflid"])


CANCEL = Statement(
    """
UPDATE pgagent_py.backfill b SET bflended = clock_timestamp(), bflwhy = format('%s has cancelled it', $2)
 WHERE b.bflid = $1 AND b.bflended IS NULL""",
    "int4",
    "text",
)
FIND = Statement("SELECT FROM pgagent_py.backfill b WHERE b.bflid = $1", "int4")


def cancel_backfill(plpy: Plpy, caller: str, backfill: int) -> None:
    """End a backfill. A run of it that is in progress goes on."""
    if not FIND(plpy, backfill):
        raise missing("backfill", backfill)
    if not CANCEL(plpy, backfill, caller).nrows():
        raise PgAgentError(
            f"backfill {backfill} is not in progress",
            hint="The view backfills has those that are.",
            sqlstate="55000",
        )
