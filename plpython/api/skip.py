"""Skipping the next runs of a job. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.checks import check_job
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..rules.next_run import read_time, runs_between
from ..runs.skip import NO_ORDER

MOST = 1000

# first: when the job is due, if its schedules say so and that is not skipped yet. after: the next times are later than this.
NEXT = Statement(
    f"""
SELECT f.rules, CASE WHEN (d.due > k.until) IS NOT FALSE THEN pgagent_py._micros(d.due)::text END AS first,
       pgagent_py._micros(greatest(coalesce(d.due, w.jobowedfrom, now()), k.until))::text AS after
  FROM pgagent.pga_job j
  JOIN pgagent_py.firing_rule f ON f.jobid = j.jobid
  LEFT JOIN pgagent_py.job_owed w ON w.jobid = j.jobid
 CROSS JOIN LATERAL (SELECT CASE WHEN j.jobagentid IS NULL AND {NO_ORDER} THEN j.jobnextrun END AS due) d
 CROSS JOIN LATERAL (
       SELECT max(k.skpuntil) AS until FROM pgagent_py.skip k
        WHERE k.jobid = j.jobid AND NOT k.skpused AND k.skprules = f.rules) k
 WHERE j.jobid = $1 AND j.jobenabled""",
    "int4",
)
FORGET_VOID = Statement(
    "DELETE FROM pgagent_py.skip k WHERE k.jobid = $1 AND (k.skpused OR k.skprules <> $2)", "int4", "text"
)
# $1 job, $2 first time, $3 last time, $4 role, $5 rules. What the same role has skipped before these goes on.
SKIP = Statement(
    """
WITH longer AS (
    UPDATE pgagent_py.skip k SET skpuntil = $3, skpat = now()
     WHERE k.jobid = $1 AND k.skpby = $4 AND k.skpfrom = (SELECT max(l.skpfrom) FROM pgagent_py.skip l WHERE l.jobid = $1)
    RETURNING k.jobid)
INSERT INTO pgagent_py.skip (jobid, skpfrom, skpuntil, skpby, skprules)
SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM longer)""",
    "int4",
    "timestamptz",
    "timestamptz",
    "text",
    "text",
)


def skip_next_run(plpy: Plpy, caller: str, job: int, count: int | None = None) -> None:
    """Leave out the next *count* times of the schedules of *job*."""
    check_job(plpy, job)
    most = 1 if count is None else count
    if not 1 <= most <= MOST:
        raise invalid("count", f"count can't be {most}", f"Give a number from 1 to {MOST}.")
    for row in NEXT(plpy, job):
        times = [read_time(row["first"])] if row["first"] else []
        if len(times) < most:
            times += runs_between(plpy, job, row["after"], "infinity", most - len(times))
        if times:
            FORGET_VOID(plpy, job, row["rules"])
            SKIP(plpy, job, times[0], times[-1], caller, row["rules"])
            return
    hint = "It is disabled, or none of its schedules fires any more."
    raise PgAgentError(f"job {job} has no next run", hint, sqlstate="55000")


UNSKIP = Statement("DELETE FROM pgagent_py.skip k WHERE k.jobid = $1", "int4")


def unskip_next_run(plpy: Plpy, caller: str, job: int) -> None:
    """Take back what was skipped of *job*."""
    check_job(plpy, job)
    UNSKIP(plpy, job)
