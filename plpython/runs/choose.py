"""Choosing: which of the due jobs are claimed, and which of them first. Asked only while somebody has set anything of the kind.

Pauses, limits, priorities, lateness, orders.
"""

from __future__ import annotations

from typing import Any

from ..ground.plan import run
from ..ground.vocabulary import DUE
from .finish import drop_done_jobs
from .limits import LOCK_LIMITS, places
from .orders import forget_void_orders

DUE_JOBS = """
SELECT j.jobid, j.jobjclid, o.jobgroup, coalesce(j.jobnextrun < now() - o.jobmaxlateness, false) AS late
  FROM pgagent.pga_job j
  LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
 WHERE {due} AND j.jobhostagent IN ('', $1)
   AND j.jobid <> ALL ($2) AND j.jobjclid <> ALL ($3) AND (o.jobgroup = ANY ($4)) IS NOT TRUE {only}
 ORDER BY coalesce(o.jobpriority, 0) DESC, j.jobnextrun LIMIT $5 FOR NO KEY UPDATE OF j SKIP LOCKED
"""

# Logged as a run that executed nothing (status i). The reason stands in the output of the first step, where pgAdmin shows it.
SKIP_JOBS = """
WITH late AS MATERIALIZED (
    SELECT j.jobid, j.jobnextrun, o.jobmaxlateness
      FROM pgagent.pga_job j JOIN pgagent_py.job_option o ON o.jobid = j.jobid WHERE j.jobid = ANY ($1)),
skipped AS (
    INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
    SELECT late.jobid, 'i', clock_timestamp(), '0' FROM late RETURNING jlgid, jlgjobid),
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
UPDATE pgagent.pga_job j SET jobnextrun = NULL FROM late WHERE j.jobid = late.jobid
"""


def choose_jobs(plpy: Any, station: str, capacity: int, only: str) -> list[int]:
    """Return at most *capacity* due jobs to claim, in order: highest priority first, then longest due. They are locked.

    *only* is SQL that narrows the jobs down. Those that are too late are skipped on the way.
    """
    drop_done_jobs(plpy)
    forget_void_orders(plpy)
    locked = _lock_limits(plpy)
    free = places(plpy)
    if free.everything_paused:
        return []
    if not locked:  # another launcher is claiming: jobs without a limit, only
        free.classes, free.groups = dict.fromkeys(free.classes, 0), dict.fromkeys(free.groups, 0)
    types = ["text", "int4[]", "int4[]", "text[]", "int4"]
    chosen: list[int] = []
    late: list[int] = []
    while len(chosen) < capacity:
        values = [station, chosen + late, free.full_classes(), free.full_groups(), capacity]
        rows = run(plpy, DUE_JOBS.format(due=DUE, only=only), types, values)
        for row in rows:
            if row["late"]:
                late.append(row["jobid"])
            elif len(chosen) < capacity and free.take(row["jobjclid"], row["jobgroup"]):
                chosen.append(row["jobid"])
        if len(rows) < capacity:
            break
    if late:
        run(plpy, SKIP_JOBS, ["int4[]"], [late])
    return chosen


def _lock_limits(plpy: Any) -> bool:
    """Return whether this transaction may claim jobs under a limit: no other does."""
    try:
        with plpy.subtransaction():
            plpy.execute(LOCK_LIMITS)
    except plpy.spiexceptions.LockNotAvailable:
        return False
    return True
