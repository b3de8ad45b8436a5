"""Choosing: which of the due jobs are claimed, and which of them first.

Asked only while there is something to choose by: pauses, limits, priorities, lateness, orders, jobs to delete. Otherwise the
claim takes the jobs that have been due longest.
"""

from __future__ import annotations

from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import DUE
from .claimable import FOR_AGENT, SCOPES
from .finish import drop_done_jobs
from .limits import lock_limits, places
from .orders import forget_void_orders
from .problems import NO_PROBLEM
from .rows import AgentRow


class DueRow(TypedDict):
    """A due job; late: by more than it allows."""

    jobid: int
    jobjclid: int
    jobgroup: str | None
    late: bool


# $1 station, $2 jobs looked at already, $3 full classes, $4 full groups, $5 how many, $6 what the agent knows, $7 only these
# jobs; NULL: any.
DUE_JOBS = {
    scope: Statement(
        f"""
SELECT j.jobid, j.jobjclid, o.jobgroup, coalesce(j.jobnextrun < now() - o.jobmaxlateness, false) AS late
  FROM pgagent.pga_job j
  LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
 WHERE {DUE} AND {FOR_AGENT.format(station="$1", knows="$6")}
   AND j.jobid <> ALL ($2) AND j.jobjclid <> ALL ($3) AND (o.jobgroup = ANY ($4)) IS NOT TRUE {only}
   AND ($7 IS NULL OR j.jobid = ANY ($7)) AND {NO_PROBLEM}
 ORDER BY coalesce(o.jobpriority, 0) DESC, j.jobnextrun LIMIT $5 FOR NO KEY UPDATE OF j SKIP LOCKED""",
        "text",
        "int4[]",
        "int4[]",
        "text[]",
        "int4",
        "text[]",
        "int4[]",
        row=DueRow,
    )
    for scope, only in SCOPES.items()
}


def choose_jobs(
    plpy: Plpy, agent: AgentRow, capacity: int, scope: str, among: list[int] | None = None
) -> list[int]:
    """Return at most *capacity* due jobs to claim, in order: highest priority first, then longest due. They are locked.

    Jobs that are too late are skipped on the way. *among*: only of these.
    """
    drop_done_jobs(plpy)
    forget_void_orders(plpy)
    locked = lock_limits(plpy)
    free = places(plpy)
    if free.everything_paused:
        return []
    if not locked:  # another agent is claiming: only jobs without a limit
        free.classes, free.groups = dict.fromkeys(free.classes, 0), dict.fromkeys(free.groups, 0)
    chosen: list[int] = []
    late: list[int] = []
    while len(chosen) < capacity:
        full = free.full_classes(), free.full_groups()
        me = agent["jagstation"], chosen + late, *full, capacity, agent["jagknows"]
        rows = DUE_JOBS[scope](plpy, *me, among)
        for row in rows:
            if row["late"]:
                late.append(row["jobid"])
            elif len(chosen) < capacity and free.take(row["jobjclid"], row["jobgroup"]):
                chosen.append(row["jobid"])
        if len(rows) < capacity:
            break
    if late:
        _skip_jobs(plpy, late)
    return chosen


# Logged as a run that executed nothing (status i). The reason stands in the output of the first step, where pgAdmin shows it.
SKIP_JOBS = Statement(
    """
WITH late AS MATERIALIZED (
    SELECT j.jobid, j.jobnextrun, o.jobmaxlateness
      FROM pgagent.pga_job j JOIN pgagent_py.job_option o ON o.jobid = j.jobid WHERE j.jobid = ANY ($1)),
-- a run of each
skipped AS (
    INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
    SELECT late.jobid, 'i', clock_timestamp(), '0' FROM late RETURNING jlgid, jlgjobid),
-- the reason, in the log of the first step, unless a session has that locked
said AS (
    INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslstart, jslduration, jsloutput)
    SELECT skipped.jlgid, s.jstid, 'i', clock_timestamp(), '0',
           format('The run was skipped: it was due at %s, %s ago, and the job allows a lateness of %s.',
                  late.jobnextrun, date_trunc('second', clock_timestamp() - late.jobnextrun), late.jobmaxlateness)
      FROM skipped
      JOIN late ON late.jobid = skipped.jlgjobid
     CROSS JOIN LATERAL (
           SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstjobid = late.jobid AND s.jstenabled
            ORDER BY s.jstname, s.jstid LIMIT 1 FOR KEY SHARE SKIP LOCKED) s)
-- the next run, by the schedules
UPDATE pgagent.pga_job j SET jobnextrun = NULL FROM late WHERE j.jobid = late.jobid""",
    "int4[]",
)


def _skip_jobs(plpy: Plpy, jobids: list[int]) -> None:
    """Log that these jobs are too late, and let their schedules go on."""
    SKIP_JOBS(plpy, jobids)
