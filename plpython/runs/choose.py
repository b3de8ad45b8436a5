"""Choosing: which of the due jobs are claimed, and which of them first.

Asked only while there is something to choose by: pauses, limits, priorities, lateness, orders, jobs to delete. Otherwise the
claim takes the jobs that have been due longest.
"""

from __future__ import annotations

from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import note_problem
from ..ground.vocabulary import DUE
from ..rules.next_run import read_rules
from .claimable import FOR_AGENT, SCOPES
from .finish import drop_done_jobs
from .limits import Places, lock_limits, places
from .orders import forget_void_orders
from .problems import NO_PROBLEM, each_apart
from .rows import AgentRow


class DueRow(TypedDict):
    """A due job."""

    jobid: int
    jobjclid: int
    jobgroup: str | None


# On a due job j with options o, which may be missing: it is later than it allows. A longer interval than this could lead out of
# the calendar, which is an error.
LATE = "j.jobnextrun < now() - least(o.jobmaxlateness, interval '1000 years')"

# $1 station, $2 jobs chosen already, $3 full classes, $4 full groups, $5 how many, $6 what the agent knows, $7 only these
# jobs; NULL: any.
DUE_JOBS = {
    scope: Statement(
        f"""
SELECT j.jobid, j.jobjclid, o.jobgroup
  FROM pgagent.pga_job j
  LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
 WHERE {DUE} AND {FOR_AGENT.format(station="$1", knows="$6")} AND ({LATE}) IS NOT TRUE
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

    Before that, some that are too late are skipped. *among*: only of these.
    """
    locked = False
    if agent["jagall"]:
        drop_done_jobs(plpy)
        forget_void_orders(plpy)
        locked = lock_limits(plpy)
    free = places(plpy)
    if free.everything_paused:
        return []
    # Another agent is claiming, or this is a user's session, which may stay in its transaction: only jobs without a limit.
    if not locked:
        free.classes, free.groups = dict.fromkeys(free.classes, 0), dict.fromkeys(free.groups, 0)
    skip_late_jobs(plpy, agent, scope, free)
    chosen: list[int] = []
    while len(chosen) < capacity:
        full = free.full_classes(), free.full_groups()
        me = agent["jagstation"], chosen, *full, capacity, agent["jagknows"]
        rows = DUE_JOBS[scope](plpy, *me, among)
        for row in rows:
            if len(chosen) < capacity and free.take(row["jobjclid"], row["jobgroup"]):
                chosen.append(row["jobid"])
        if len(rows) < capacity:
            break
    return chosen


# How many late jobs a turn skips at most. The others wait for the next turns: they start in none.
LATE_JOBS = 100

# $1 station, $2 full classes, $3 full groups, $4 what the agent knows, $5 how many.
LATE_NOW = {
    scope: Statement(
        f"""
SELECT j.jobid
  FROM pgagent.pga_job j
  JOIN pgagent_py.job_option o ON o.jobid = j.jobid AND o.jobmaxlateness IS NOT NULL
 WHERE {DUE} AND {FOR_AGENT.format(station="$1", knows="$4")} AND {LATE}
   AND j.jobjclid <> ALL ($2) AND (o.jobgroup = ANY ($3)) IS NOT TRUE {only} AND {NO_PROBLEM}
 LIMIT $5 FOR NO KEY UPDATE OF j SKIP LOCKED""",
        "text",
        "int4[]",
        "text[]",
        "text[]",
        "int4",
    )
    for scope, only in SCOPES.items()
}


# Logged as a run that executed nothing (status i). The reason stands in the output of the first step, where pgAdmin shows it.
SKIP_JOBS = Statement(
    """
WITH late AS MATERIALIZED (
    SELECT j.jobid, j.jobnextrun, o.jobmaxlateness, nextval('pgagent.pga_joblog_jlgid_seq')::integer AS jlgid
      FROM pgagent.pga_job j JOIN pgagent_py.job_option o ON o.jobid = j.jobid WHERE j.jobid = ANY ($1)),
-- a run of each
skipped AS (
    INSERT INTO pgagent.pga_joblog (jlgid, jlgjobid, jlgstatus, jlgstart, jlgduration)
    SELECT late.jlgid, late.jobid, 'i', clock_timestamp(), '0' FROM late),
-- the reason, in the log of the first step, unless a session has that locked
said AS (
    INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslstart, jslduration, jsloutput)
    SELECT late.jlgid, s.jstid, 'i', clock_timestamp(), '0',
           format('The run was skipped: it was due at %s, %s ago, and the job allows a lateness of %s.',
                  late.jobnextrun, date_trunc('second', clock_timestamp() - late.jobnextrun), late.jobmaxlateness)
      FROM late
     CROSS JOIN LATERAL (
           SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstjobid = late.jobid AND s.jstenabled
            ORDER BY s.jstname, s.jstid LIMIT 1 FOR KEY SHARE SKIP LOCKED) s)
-- the next run, by the schedules
UPDATE pgagent.pga_job j SET jobnextrun = NULL FROM late WHERE j.jobid = late.jobid""",
    "int4[]",
)


def skip_late_jobs(plpy: Plpy, agent: AgentRow, scope: str, free: Places) -> None:
    """Log of some jobs that they are too late, and let their schedules go on."""
    full = free.full_classes(), free.full_groups()
    rows = LATE_NOW[scope](plpy, agent["jagstation"], *full, agent["jagknows"], LATE_JOBS)
    jobids = [row["jobid"] for row in rows]
    read_rules(plpy, jobids)
    each_apart(
        plpy,
        jobids,
        lambda some: list(SKIP_JOBS(plpy, some)),
        lambda jobid, error: note_problem(plpy, jobid, 0, error),
    )
