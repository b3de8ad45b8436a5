"""Orphans: runs that an agent has left in progress, because it is gone or stops. They are closed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.problems import note_problem
from ..rules.clock import follow_clock
from .claimable import KEPT
from .finish import abort_runs
from .news import note_gone
from .problems import each_apart
from .rows import RunId
from .wake import GRACE_SECONDS, LOOK_AGAIN_SECONDS, wake

# When this session has last looked for missing agents, by time.monotonic().
_looked_at = 0.0
# Runs (jlgid) to be closed that a session had locked.
_locked: list[int] = []


class MissingRow(TypedDict):
    """The pid of an agent without a backend; ours: not pgAgent's daemon."""

    jagpid: int
    ours: bool


MISSING = Statement(
    """
SELECT coalesce(j.jagpid, a.jagpid) AS jagpid, a.agent IS NOT NULL AS ours
  FROM pgagent.pga_jobagent j
  FULL JOIN pgagent_py.agent a ON a.jagpid = j.jagpid
 WHERE NOT EXISTS (
        SELECT FROM pgagent_py.living_agent v
         WHERE CASE WHEN a.agent IS NULL THEN v.jagpid = j.jagpid AND v.agent IS NULL ELSE v.agent = a.agent END)""",
    row=MissingRow,
)

# A time in the future was noted before the clock was set back.
MARK_MISSING = Statement(
    """
UPDATE pgagent_py.agent a SET missing_since = clock_timestamp()
 WHERE a.jagpid IN (SELECT b.jagpid FROM pgagent_py.agent b
                     WHERE b.jagpid = ANY ($1) AND (b.missing_since <= clock_timestamp()) IS NOT TRUE FOR UPDATE SKIP LOCKED)""",
    "int4[]",
)

# One agent closes, the others go on.
LOCK_GONE = Statement(
    """
SELECT a.jagpid FROM pgagent_py.agent a
 WHERE a.jagpid = ANY ($1) AND a.missing_since < clock_timestamp() - make_interval(secs => $2) FOR UPDATE SKIP LOCKED""",
    "int4[]",
    "float8",
)
LOCK_DAEMONS = Statement(
    "SELECT j.jagpid FROM pgagent.pga_jobagent j WHERE j.jagpid = ANY ($1) FOR UPDATE SKIP LOCKED", "int4[]"
)


def fail_orphans(plpy: Plpy) -> None:
    """Close the runs of agents that are gone, a grace time after they were first missed, and release their jobs.

    An agent of the C++ daemon has no identity beside its backend, so it can't come back and gets no grace.
    """
    global _looked_at
    follow_clock(plpy)
    if time.monotonic() < _looked_at + LOOK_AGAIN_SECONDS:
        return
    _looked_at = time.monotonic()
    if _locked:
        _close_now(plpy, list(LOCKED_RUNS(plpy, _locked)))
    rows = MISSING(plpy)
    ours = [row["jagpid"] for row in rows if row["ours"]]
    daemons = [row["jagpid"] for row in rows if not row["ours"]]
    gone: list[Row] = []
    if ours:
        MARK_MISSING(plpy, ours)
        gone += LOCK_GONE(plpy, ours, GRACE_SECONDS)
    if daemons:
        gone += LOCK_DAEMONS(plpy, daemons)
    if gone:
        note_gone(row["jagpid"] for row in gone)
        close_agents(plpy, [row["jagpid"] for row in gone])


GONE = "The agent that executed this step is gone."

# The runs in a CTE candidate, and whether each can be closed now: a run of which a session has the job or a log row locked is
# left for the next look. Rows that are gone lock nothing.
CLOSABLE = """
job AS MATERIALIZED (
    SELECT c.jlgid FROM candidate c
     CROSS JOIN LATERAL (SELECT FROM pgagent.pga_job j WHERE j.jobid = c.jobid FOR NO KEY UPDATE SKIP LOCKED) j),
run AS MATERIALIZED (
    SELECT c.jlgid FROM candidate c
     CROSS JOIN LATERAL (SELECT FROM pgagent_py.run p WHERE p.jlgid = c.jlgid FOR UPDATE SKIP LOCKED) p),
log AS MATERIALIZED (
    SELECT c.jlgid FROM candidate c
     CROSS JOIN LATERAL (SELECT FROM pgagent.pga_joblog l WHERE l.jlgid = c.jlgid FOR NO KEY UPDATE SKIP LOCKED) l),
step AS MATERIALIZED (
    SELECT s.jslid FROM candidate c
     CROSS JOIN LATERAL (
           SELECT s.jslid FROM pgagent.pga_jobsteplog s WHERE s.jsljlgid = c.jlgid AND s.jslstatus = 'r'
              FOR NO KEY UPDATE SKIP LOCKED) s)
SELECT c.jobid, c.jlgid,
       (c.jlgid IN (SELECT job.jlgid FROM job)
        OR NOT EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobid = ANY (ARRAY[c.jobid])))
   AND (c.jlgid IN (SELECT run.jlgid FROM run)
        OR NOT EXISTS (SELECT FROM pgagent_py.run p WHERE p.jlgid = ANY (ARRAY[c.jlgid])))
   AND (c.jlgid IN (SELECT log.jlgid FROM log)
        OR NOT EXISTS (SELECT FROM pgagent.pga_joblog l WHERE l.jlgid = ANY (ARRAY[c.jlgid])))
   AND NOT EXISTS (SELECT FROM pgagent.pga_jobsteplog s
                    WHERE s.jsljlgid = ANY (ARRAY[c.jlgid]) AND s.jslstatus = 'r'
                      AND s.jslid NOT IN (SELECT step.jslid FROM step))
       AS closable
  FROM candidate c"""

# $1 pids.
RUNS_OF_AGENTS = Statement(
    f"""
WITH candidate AS MATERIALIZED (
    SELECT p.jobid, p.jlgid FROM pgagent_py.run p
     WHERE p.agent = ANY (ARRAY(SELECT a.agent FROM pgagent_py.agent a WHERE a.jagpid = ANY ($1)))
       AND NOT EXISTS (SELECT FROM pgagent_py.agent o WHERE o.agent = p.agent AND o.jagpid <> ALL ($1))
       AND NOT {KEPT}
     UNION ALL
    -- the daemon's: the log is all that tells of them
    SELECT l.jlgjobid, l.jlgid
      FROM pgagent.pga_job j JOIN pgagent.pga_joblog l ON l.jlgjobid = ANY (ARRAY[j.jobid]) AND l.jlgstatus = 'r'
     WHERE j.jobagentid = ANY ($1) AND NOT EXISTS (SELECT FROM pgagent_py.run p WHERE p.jlgid = ANY (ARRAY[l.jlgid]))),
{CLOSABLE}""",
    "int4[]",
)

# An agent can be gone between its claim and its log entry: the C++ daemon writes them one after the other.
RELEASE = Statement(
    """
UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL
 WHERE jobid = ANY (ARRAY(
       SELECT j.jobid FROM pgagent.pga_job j
        WHERE j.jobagentid = ANY ($1) AND j.jobid <> ALL (ARRAY(SELECT p.jobid FROM pgagent_py.run p))
          AND NOT EXISTS (SELECT FROM pgagent.pga_joblog l WHERE l.jlgjobid = ANY (ARRAY[j.jobid]) AND l.jlgstatus = 'r')
          FOR NO KEY UPDATE SKIP LOCKED))
RETURNING jobid""",
    "int4[]",
)


# A new look after the runs are locked. From now on, an agent that comes back leaves them to this one (leave_closed).
COME_BACK = Statement(
    """
SELECT p.jlgid FROM pgagent_py.run p
 WHERE p.jlgid = ANY ($2)
   AND EXISTS (SELECT FROM pgagent_py.agent o WHERE o.agent = ANY (ARRAY[p.agent]) AND o.jagpid <> ALL ($1))""",
    "int4[]",
    "int4[]",
)


def close_agents(plpy: Plpy, pids: Sequence[int]) -> None:
    """Close what the agents with these backend pids have in progress: runs and steps to d, jobs released.

    An agent with a job that another session has locked stays on the list, for the next look. The runs of one that has come back
    with another backend are its own again.
    """
    runs = [RunId(row["jobid"], row["jlgid"]) for row in RUNS_OF_AGENTS(plpy, pids) if row["closable"]]
    kept = {row["jlgid"] for row in COME_BACK(plpy, pids, [run.jlgid for run in runs])} if runs else set()
    _abort_apart(plpy, pids, [run for run in runs if run.jlgid not in kept])
    if RELEASE(plpy, pids):
        wake(plpy)
    forget_agents(plpy, pids)


LOG_OUT = Statement(
    """
DELETE FROM pgagent.pga_jobagent
 WHERE jagpid IN (SELECT g.jagpid FROM pgagent.pga_jobagent g WHERE g.jagpid = ANY ($1)
                     AND NOT EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobagentid = g.jagpid OFFSET 0)
                     FOR UPDATE SKIP LOCKED)""",
    "int4[]",
)
# Also an agent that a user has removed from pgAgent's list.
FORGET_AGENTS = Statement(
    """
DELETE FROM pgagent_py.agent
 WHERE jagpid IN (SELECT a.jagpid FROM pgagent_py.agent a WHERE a.jagpid = ANY ($1)
                     AND NOT EXISTS (SELECT FROM pgagent.pga_jobagent j WHERE j.jagpid = a.jagpid)
                     AND (NOT EXISTS (SELECT FROM pgagent_py.run p WHERE p.agent = ANY (ARRAY[a.agent]))
                          OR EXISTS (SELECT FROM pgagent_py.agent o WHERE o.agent = a.agent AND o.jagpid <> a.jagpid))
                     FOR UPDATE SKIP LOCKED)""",
    "int4[]",
)


def forget_agents(plpy: Plpy, pids: Sequence[int]) -> None:
    """Remove these pids from the lists of agents, except those that jobs are still claimed with, or that are locked."""
    LOG_OUT(plpy, pids)
    FORGET_AGENTS(plpy, pids)


# $1 the agent that starts: it executes none of them. A run of another agent ends after its present step.
RELEASED_RUNS = Statement(
    f"""
WITH candidate AS MATERIALIZED (
    SELECT l.jlgjobid AS jobid, l.jlgid FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[l.jlgjobid])
     WHERE l.jlgstatus = 'r' AND j.jobagentid IS NULL
       AND NOT EXISTS (SELECT FROM pgagent_py.run p WHERE p.jlgid = ANY (ARRAY[l.jlgid]) AND p.agent <> $1)
     UNION
    SELECT p.jobid, p.jlgid FROM pgagent_py.run p
     WHERE NOT EXISTS (SELECT FROM pgagent_py.agent a WHERE a.agent = p.agent)
       AND NOT {KEPT}),
{CLOSABLE}""",
    "uuid",
)


# $1 runs.
LOCKED_RUNS = Statement(
    f"""
WITH candidate AS MATERIALIZED (
    SELECT l.jlgjobid AS jobid, l.jlgid FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[l.jlgjobid])
     WHERE l.jlgid = ANY ($1) AND l.jlgstatus = 'r' AND j.jobagentid IS NULL),
{CLOSABLE}""",
    "int4[]",
)


def close_released_runs(plpy: Plpy, agent: str) -> None:
    """Close runs that stand as running although no agent has their job, for example after a restore; *agent* has started."""
    _close_now(plpy, list(RELEASED_RUNS(plpy, agent)))


def _close_now(plpy: Plpy, rows: Sequence[Row]) -> None:
    """Close the runs that are closable, and keep in mind the others."""
    _locked[:] = [row["jlgid"] for row in rows if not row["closable"]]
    _abort_apart(plpy, [], [RunId(row["jobid"], row["jlgid"]) for row in rows if row["closable"]])


# $2 whether it has been living: then nobody is closing its runs, but its own former backend may have them locked. The lock can be
# had while an atomic step books itself. Closed in the log: the daemon gives no grace time, and does not know the table run.
LEAVE_CLOSED = Statement(
    """
WITH free AS MATERIALIZED (
    SELECT r.jlgid FROM pgagent_py.run r WHERE r.agent = $1 AND NOT $2 FOR KEY SHARE SKIP LOCKED)
UPDATE pgagent_py.agent a SET jagleft = (
       SELECT array_agg(r.jlgid) FROM pgagent_py.run r
        WHERE r.agent = $1 AND (r.jlgid = ANY (a.jagleft) OR NOT $2 AND r.jlgid NOT IN (SELECT free.jlgid FROM free)
              OR EXISTS (SELECT FROM pgagent.pga_joblog l WHERE l.jlgid = ANY (ARRAY[r.jlgid]) AND l.jlgstatus <> 'r')))
 WHERE a.agent = $1 AND a.jagpid = pg_backend_pid()""",
    "uuid",
    "bool",
)


def leave_closed(plpy: Plpy, agent: str, living: bool) -> None:
    """Leave those runs of *agent*, which comes back with this backend, that were closed meanwhile, or are being closed right now.

    It executes no step of them. They end as aborted, even if that session undoes what it has done: see close_left.
    """
    LEAVE_CLOSED(plpy, agent, living)


LEFT_RUNS = Statement(
    f"""
WITH candidate AS MATERIALIZED (
    SELECT p.jobid, p.jlgid FROM pgagent_py.run p WHERE p.jlgid = ANY ($1) AND p.agent = $2),
{CLOSABLE}""",
    "int4[]",
    "uuid",
)
STILL_LEFT = Statement(
    """
UPDATE pgagent_py.agent a SET jagleft = (
       SELECT array_agg(r.jlgid) FROM pgagent_py.run r WHERE r.jlgid = ANY (a.jagleft) AND r.agent = $1)
 WHERE a.agent = $1 AND a.jagpid = pg_backend_pid()
RETURNING coalesce(a.jagleft, '{}') AS jagleft""",
    "uuid",
)


def close_left(plpy: Plpy, agent: str, pid: int, left: Sequence[int]) -> list[int]:
    """Close those runs that *agent* has left to a session which has not closed them; return those still left (jlgid)."""
    runs = [RunId(row["jobid"], row["jlgid"]) for row in LEFT_RUNS(plpy, left, agent) if row["closable"]]
    _abort_apart(plpy, [pid], runs)
    still: list[int] = STILL_LEFT(plpy, agent)[0]["jagleft"]
    return still


def _abort_apart(plpy: Plpy, pids: Sequence[int], runs: Sequence[RunId]) -> None:
    """Close runs; one that makes the server fail is left for the next look."""

    def act(some: Sequence[RunId]) -> Sequence[RunId]:
        abort_runs(plpy, pids, some, GONE)
        return some

    each_apart(plpy, runs, act, lambda run, error: note_problem(plpy, run.jobid, 0, error))
