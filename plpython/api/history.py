"""History: runs and notes of changes that no rule keeps are deleted, a little at a time."""

from __future__ import annotations

from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import check_launch

BATCH = 300  # runs that one call deletes at most
JOBS_AT_A_TIME = 1000  # jobs that one statement looks at, when there is no smaller number

# Where this session's last look at a part of the jobs ended.
_looked_up_to = 0


class Rules(TypedDict):
    """What is kept of the jobs that have no rule of their own, and whether any job has one."""

    keep_runs: int | None
    keep_for: str | None
    own_rules: bool


READ_RULES = Statement(
    """
    SELECT (SELECT s.value::int4 FROM pgagent_py.setting s WHERE s.name = 'keep_runs') AS keep_runs,
           (SELECT s.value FROM pgagent_py.setting s WHERE s.name = 'keep_for') AS keep_for,
           EXISTS (SELECT FROM pgagent_py.job_option o
                    WHERE o.jobkeepruns IS NOT NULL OR o.jobkeepfor IS NOT NULL) AS own_rules""",
    row=Rules,
)


def purge_history(plpy: Plpy, caller: str, jobs: int | None = None) -> int:
    """Delete some hundred runs and notes of changes, at most, that no rule keeps; return how many.

    *jobs*: look at so many jobs only, those after where this session's last such call ended. None: go on until there is
    something to delete, or all jobs have been looked at; so 0 then means that nothing is left.
    """
    check_launch(plpy, caller)
    return purge(plpy, jobs) + forget_changes(plpy)


FORGET_CHANGES = Statement(
    """
DELETE FROM pgagent_py.job_change c WHERE (c.chgat, c.chgid) IN (
       SELECT k.chgat, k.chgid FROM pgagent_py.job_change k
        WHERE k.chgat < now() - (SELECT least(s.value::interval, interval '1000 years')
                                   FROM pgagent_py.setting s WHERE s.name = 'keep_changes')
        ORDER BY k.chgat, k.chgid LIMIT $1 FOR UPDATE SKIP LOCKED)""",
    "int4",
)


def forget_changes(plpy: Plpy) -> int:
    """Delete some notes of changes that set_retention() does not keep; return how many."""
    return FORGET_CHANGES(plpy, BATCH).nrows()


def purge(plpy: Plpy, jobs: int | None) -> int:
    """Do what purge_history does, for a caller whose rights have been checked."""
    (rules,) = READ_RULES(plpy)
    if rules["keep_runs"] is None and rules["keep_for"] is None and not rules["own_rules"]:
        return 0
    if jobs is not None:
        return _purge_some(plpy, rules, jobs)
    start, wrapped = _looked_up_to, False
    while True:
        deleted = _purge_some(plpy, rules, JOBS_AT_A_TIME)
        if deleted:
            return deleted
        if not _looked_up_to:  # that was the last of the jobs
            if wrapped or not start:
                return 0
            wrapped = True
        elif wrapped and _looked_up_to >= start:
            return 0


# {jobs}: LEFT for all jobs, '' for those alone that have a rule of their own.
PURGE = """
WITH rule AS MATERIALIZED (
    -- The next jobs, with what is kept of each.
    SELECT j.jobid, coalesce(o.jobkeepruns, $3) AS keep_runs,
           now() - least(coalesce(o.jobkeepfor, $4), interval '1000 years') AS keep_since
      FROM pgagent.pga_job j
      {jobs} JOIN pgagent_py.job_option o ON o.jobid = j.jobid AND (o.jobkeepruns IS NOT NULL OR o.jobkeepfor IS NOT NULL)
     WHERE j.jobid > $1 ORDER BY j.jobid LIMIT $2),
old AS MATERIALIZED (
    -- Their runs that nothing keeps. A job's oldest run tells whether there are any; the last one that has ended always stays, so
    -- that job_status and the next run's messages know it.
    SELECT o.jlgid, r.jobid
      FROM rule r
     CROSS JOIN LATERAL (
           SELECT l.jlgid, l.jlgstart FROM pgagent.pga_joblog l WHERE l.jlgjobid = r.jobid ORDER BY l.jlgid LIMIT 1) oldest
     CROSS JOIN LATERAL (
           SELECT l.jlgid FROM pgagent.pga_joblog l WHERE l.jlgjobid = r.jobid AND l.jlgstatus <> 'r'
            ORDER BY l.jlgid DESC LIMIT 1) newest
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
    -- What another session has locked, for example one that purges, is left alone.
    DELETE FROM pgagent.pga_joblog l
     WHERE l.jlgid = ANY (ARRAY(
           SELECT k.jlgid FROM pgagent.pga_joblog k WHERE k.jlgid = ANY (ARRAY(SELECT old.jlgid FROM old))
              FOR UPDATE SKIP LOCKED))
    RETURNING l.jlgid)
SELECT (SELECT count(*) FROM gone) AS deleted, (SELECT count(*) FROM rule) AS looked_at,
       (SELECT max(rule.jobid) FROM rule) AS up_to, (SELECT max(old.jobid) FROM old) AS last"""


class Purged(TypedDict):
    """How many runs were deleted, how many jobs were looked at, which of them was the last, and of which there were runs last."""

    deleted: int
    looked_at: int
    up_to: int | None
    last: int | None


TYPES = ("int4", "int4", "int4", "interval", "int4")
PURGE_ALL = Statement(PURGE.format(jobs="LEFT"), *TYPES, row=Purged)
PURGE_OWN = Statement(PURGE.format(jobs=""), *TYPES, row=Purged)


def _purge_some(plpy: Plpy, rules: Rules, jobs: int) -> int:
    """Look at the next *jobs* jobs; at the end of all jobs, start over the next time."""
    global _looked_up_to
    keep_runs, keep_for = rules["keep_runs"], rules["keep_for"]
    statement = PURGE_OWN if keep_runs is None and keep_for is None else PURGE_ALL
    (row,) = statement(plpy, _looked_up_to, jobs, keep_runs, keep_for, BATCH)
    if row["deleted"] == BATCH and row["last"] is not None:
        _looked_up_to = (
            row["last"] - 1
        )  # there may be more of this job; a look at those before would find nothing
    else:
        _looked_up_to = (row["up_to"] or 0) if row["looked_at"] == jobs else 0
    return row["deleted"]
