"""History: runs that no rule keeps are deleted."""

from __future__ import annotations

from typing import Any

from ..ground.plan import run
from ..ground.roles import check_launch
from ..runs.dependencies import forget_met

BATCH = 300  # runs that one call deletes at most
KEEP_FAILED_MESSAGES = "7 days"

# Where this session's last look at a part of the jobs ended.
_looked_up_to = 0

SETTINGS = """
SELECT (SELECT s.value::int4 FROM pgagent_py.setting s WHERE s.name = 'keep_runs') AS keep_runs,
       (SELECT s.value FROM pgagent_py.setting s WHERE s.name = 'keep_for') AS keep_for,
       EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobkeepruns IS NOT NULL OR o.jobkeepfor IS NOT NULL) AS own_rules,
       EXISTS (SELECT FROM pgagent_py.queued_message q WHERE q.qmsnotbefore IS NULL) AS given_up,
       EXISTS (SELECT FROM pgagent_py.dependency_met) AS met"""

# The next jobs that have a rule; {own}: only those that have one of their own.
JOBS = """
SELECT j.jobid, coalesce(o.jobkeepruns, $3) AS keep_runs, now() - coalesce(o.jobkeepfor, $4) AS keep_since
  FROM pgagent.pga_job j
  {own} JOIN pgagent_py.job_option o ON o.jobid = j.jobid AND (o.jobkeepruns IS NOT NULL OR o.jobkeepfor IS NOT NULL)
 WHERE j.jobid > $1 ORDER BY j.jobid LIMIT $2"""

# A job's oldest run tells whether there is anything to delete; the newest always stays, so that job_status knows it.
PURGE = """
WITH rule AS MATERIALIZED ({jobs}),
old AS MATERIALIZED (
    SELECT o.jlgid
      FROM rule r
     CROSS JOIN LATERAL (
           SELECT l.jlgid, l.jlgstart FROM pgagent.pga_joblog l WHERE l.jlgjobid = r.jobid ORDER BY l.jlgid LIMIT 1) oldest
     CROSS JOIN LATERAL (
           SELECT l.jlgid FROM pgagent.pga_joblog l WHERE l.jlgjobid = r.jobid ORDER BY l.jlgid DESC LIMIT 1) newest
      LEFT JOIN LATERAL (
           SELECT l.jlgid FROM pgagent.pga_joblog l WHERE l.jlgjobid = r.jobid
            ORDER BY l.jlgid DESC OFFSET r.keep_runs - 1 LIMIT 1) kept ON r.keep_runs IS NOT NULL
     CROSS JOIN LATERAL (
           SELECT l.* FROM pgagent.pga_joblog l WHERE l.jlgjobid = r.jobid ORDER BY l.jlgid LIMIT $5) o
     WHERE (oldest.jlgid < kept.jlgid OR oldest.jlgstart < r.keep_since)
       AND (o.jlgid < kept.jlgid OR o.jlgstart < r.keep_since)
       AND o.jlgid < newest.jlgid AND o.jlgstatus <> 'r'
     LIMIT $5),
gone AS (
    DELETE FROM pgagent.pga_joblog l
     WHERE l.jlgid IN (SELECT k.jlgid FROM pgagent.pga_joblog k WHERE k.jlgid IN (SELECT old.jlgid FROM old)
                          FOR UPDATE SKIP LOCKED)
    RETURNING l.jlgid)
SELECT (SELECT count(*) FROM gone) AS deleted, (SELECT count(*) FROM rule) AS looked_at,
       (SELECT max(rule.jobid) FROM rule) AS up_to"""

PURGE_ALL = PURGE.format(jobs=JOBS.format(own="LEFT"))
PURGE_OWN = PURGE.format(jobs=JOBS.format(own=""))


def purge_history(plpy: Any, caller: str, jobs: int | None = None) -> int:
    """Delete some hundred runs, at most, that no rule keeps; return how many.

    *jobs*: look at so many jobs only, those after where this session's last such call ended. None: go on until there is
    something to delete, or all jobs have been looked at; so 0 then means that nothing is left.
    """
    check_launch(plpy, caller)
    (rules,) = run(plpy, SETTINGS)
    if rules["given_up"]:
        forget = "DELETE FROM pgagent_py.queued_message q WHERE q.qmsnotbefore IS NULL AND q.qmscreated < now() - $1"
        run(plpy, forget, ["interval"], [KEEP_FAILED_MESSAGES])
    if rules["met"]:
        forget_met(plpy)
    every = rules["keep_runs"] is not None or rules["keep_for"] is not None
    if not every and not rules["own_rules"]:
        return 0
    if jobs is not None:
        return _purge_some(plpy, rules, every, jobs)
    global _looked_up_to
    _looked_up_to = 0
    while True:
        deleted = _purge_some(plpy, rules, every, 1000)
        if deleted or not _looked_up_to:
            return deleted


def _purge_some(plpy: Any, rules: Any, every: bool, jobs: int) -> int:
    """Look at the next *jobs* jobs; at the end of all jobs, start over the next time."""
    global _looked_up_to
    types = ["int4", "int4", "int4", "interval", "int4"]
    values = [_looked_up_to, jobs, rules["keep_runs"], rules["keep_for"], BATCH]
    (row,) = run(plpy, PURGE_ALL if every else PURGE_OWN, types, values)
    deleted: int = row["deleted"]
    if deleted < BATCH:  # else there may be more in these jobs
        _looked_up_to = row["up_to"] if row["looked_at"] == jobs else 0
    return deleted
