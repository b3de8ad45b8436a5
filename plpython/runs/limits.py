"""Limits: which of the due jobs may start, and which of them first. Asked only while somebody has set anything of the kind.

Pauses, how many jobs of a class or group run at once, priorities, lateness, runs that are to begin at a later step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..ground.plan import run
from .orders import forget_void_orders
from .runs import drop_done_jobs

# Places that are free, for each class (jclid) and group that is limited or paused; neither class nor group: everything is paused.
PLACES = """
SELECT l.jclid, l.jobgroup, l.running - (
       SELECT count(*) FROM pgagent.pga_job j LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
        WHERE j.jobagentid IS NOT NULL AND (j.jobjclid = l.jclid OR o.jobgroup = l.jobgroup)) AS free
  FROM pgagent_py.job_limit l
 UNION ALL
SELECT p.jclid, NULL, 0 FROM pgagent_py.pause p
"""

# Held until this transaction commits: then the next to count sees what was claimed. Not an advisory lock, which anybody can take.
LOCK_LIMITS = "LOCK TABLE pgagent_py.job_limit IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"

DUE_JOBS = """
SELECT j.jobid, j.jobjclid, o.jobgroup, coalesce(j.jobnextrun < now() - o.jobmaxlateness, false) AS late
  FROM pgagent.pga_job j
  LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
 WHERE j.jobenabled AND j.jobagentid IS NULL AND j.jobnextrun <= now() AND j.jobhostagent IN ('', $1)
   AND j.jobid <> ALL ($2) AND j.jobjclid <> ALL ($3) AND (o.jobgroup = ANY ($4)) IS NOT TRUE {only}
 ORDER BY coalesce(o.jobpriority, 0) DESC, j.jobnextrun LIMIT $5 FOR NO KEY UPDATE OF j SKIP LOCKED
"""

# Of the same kind, for who only wants to know when the next of them is due.
HELD_BACK = """
       AND j.jobjclid <> ALL ($1)
       AND NOT EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobid = j.jobid AND o.jobgroup = ANY ($2))"""

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


@dataclass
class Places:
    """What is limited: free places by class and by group. The limits of both count for a job that is under both."""

    everything_paused: bool = False
    classes: dict[int, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)

    def full_classes(self) -> list[int]:
        """Return the classes (jclid) of which nothing may start."""
        return [jclid for jclid, free in self.classes.items() if free <= 0]

    def full_groups(self) -> list[str]:
        """Return the groups of which nothing may start."""
        return [group for group, free in self.groups.items() if free <= 0]

    def take(self, jclid: int, group: str | None) -> bool:
        """Take a place for a job; return whether there was one."""
        if self.classes.get(jclid, 1) <= 0 or (group and self.groups.get(group, 1) <= 0):
            return False
        if jclid in self.classes:
            self.classes[jclid] -= 1
        if group in self.groups:
            self.groups[group] -= 1
        return True


def places(plpy: Any) -> Places:
    """Return the free places of what is limited or paused, as they are now."""
    result = Places()
    for row in run(plpy, PLACES):
        if row["jobgroup"] is not None:
            result.groups[row["jobgroup"]] = row["free"]
        elif row["jclid"] is not None:
            result.classes[row["jclid"]] = min(row["free"], result.classes.get(row["jclid"], row["free"]))
        else:
            result.everything_paused = True
    return result


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
        rows = run(plpy, DUE_JOBS.format(only=only), types, values)
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
