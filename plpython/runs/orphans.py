"""Orphans: what agents that are gone left in progress is closed."""

from __future__ import annotations

import time
from typing import Any

from ..ground.plan import run
from ..rules.clock import follow_clock
from .finish import abort_runs
from .wake import GRACE, LOOK_AGAIN

GONE = "The agent that executed this step is gone."

_looked_at = 0.0

# Backends by pid and the time of their start: a pid may be another backend's by now. The C++ daemon, which has no row in
# pgagent_py.agent, has logged in after its backend started.
MISSING = """
SELECT coalesce(j.jagpid, a.jagpid) AS jagpid, a.agent IS NOT NULL AS ours
  FROM pgagent.pga_jobagent j
  FULL JOIN pgagent_py.agent a ON a.jagpid = j.jagpid
 WHERE NOT EXISTS (
        SELECT FROM pg_stat_activity s LEFT JOIN pgagent_py.agent b ON b.jagpid = s.pid
         WHERE s.backend_type = 'client backend'
           AND CASE WHEN a.agent IS NULL THEN s.pid = j.jagpid AND s.backend_start <= j.jaglogintime
                    ELSE b.agent = a.agent AND b.backend_start = s.backend_start END)"""

# A time in the future was noted before the clock was set back.
MARK_MISSING = """
UPDATE pgagent_py.agent a SET missing_since = clock_timestamp()
 WHERE a.jagpid IN (SELECT b.jagpid FROM pgagent_py.agent b
                     WHERE b.jagpid = ANY ($1) AND (b.missing_since <= clock_timestamp()) IS NOT TRUE FOR UPDATE SKIP LOCKED)"""

# One closes, the others go on. Who comes back (start_agent) and who closes exclude each other by the agent's row.
LOCK_GONE = """
SELECT a.jagpid FROM pgagent_py.agent a
 WHERE a.jagpid = ANY ($1) AND a.missing_since < clock_timestamp() - make_interval(secs => $2) FOR UPDATE SKIP LOCKED"""

LOCK_DAEMONS = "SELECT j.jagpid FROM pgagent.pga_jobagent j WHERE j.jagpid = ANY ($1) FOR UPDATE SKIP LOCKED"


def fail_orphans(plpy: Any) -> None:
    """Close the runs of agents that are gone, a grace time after they were first missed, and release their jobs.

    An agent of the C++ daemon has no identity beside its backend, so it can't come back and gets no grace.
    """
    global _looked_at
    follow_clock(plpy)
    if time.monotonic() < _looked_at + LOOK_AGAIN:
        return
    _looked_at = time.monotonic()
    rows = run(plpy, MISSING)
    ours = [row["jagpid"] for row in rows if row["ours"]]
    daemons = [row["jagpid"] for row in rows if not row["ours"]]
    gone = []
    if ours:
        run(plpy, MARK_MISSING, ["int4[]"], [ours])
        gone += run(plpy, LOCK_GONE, ["int4[]", "float8"], [ours, GRACE])
    if daemons:
        gone += run(plpy, LOCK_DAEMONS, ["int4[]"], [daemons])
    if gone:
        close_agents(plpy, [row["jagpid"] for row in gone])


# What is locked by a session, jobs or log rows, is left for the next look.
CLOSABLE = """
WITH jobs AS MATERIALIZED (
    SELECT j.jobid FROM pgagent.pga_job j WHERE j.jobagentid = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED),
runs AS MATERIALIZED (
    SELECT l.jlgid FROM pgagent.pga_joblog l
     WHERE l.jlgjobid IN (SELECT jobs.jobid FROM jobs) AND l.jlgstatus = 'r' FOR NO KEY UPDATE SKIP LOCKED),
steps AS MATERIALIZED (
    SELECT s.jslid FROM pgagent.pga_jobsteplog s
     WHERE s.jsljlgid IN (SELECT runs.jlgid FROM runs) AND s.jslstatus = 'r' FOR NO KEY UPDATE SKIP LOCKED)
SELECT jobs.jobid FROM jobs
 WHERE NOT EXISTS (
        SELECT FROM pgagent.pga_joblog l LEFT JOIN pgagent.pga_jobsteplog s ON s.jsljlgid = l.jlgid AND s.jslstatus = 'r'
         WHERE l.jlgjobid = jobs.jobid AND l.jlgstatus = 'r'
           AND (l.jlgid NOT IN (SELECT runs.jlgid FROM runs)
                OR s.jslid IS NOT NULL AND s.jslid NOT IN (SELECT steps.jslid FROM steps)))"""


def close_agents(plpy: Any, pids: list[int]) -> None:
    """Close what the agents with these backend pids have in progress: runs and steps to d, jobs released.

    An agent with a job that another session has locked stays on the list, for the next look.
    """
    jobids = [row["jobid"] for row in run(plpy, CLOSABLE, ["int4[]"], [pids])]
    if jobids:
        abort_runs(plpy, pids, jobids, GONE)
    forget_agents(plpy, pids)


def close_released_runs(plpy: Any) -> None:
    """Close runs that stand as running although no agent has their job, such as after a restore."""
    find = """
        SELECT DISTINCT j.jobid FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
         WHERE l.jlgstatus = 'r' AND j.jobagentid IS NULL"""
    jobids = [row["jobid"] for row in run(plpy, find)]
    if jobids:
        abort_runs(plpy, [], jobids, GONE)


def forget_agents(plpy: Any, pids: list[int]) -> None:
    """Remove these pids from the lists of agents, but for those that jobs are still claimed with."""
    remove = """
        DELETE FROM pgagent.pga_jobagent g WHERE g.jagpid = ANY ($1)
           AND NOT EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobagentid = g.jagpid)"""
    run(plpy, remove, ["int4[]"], [pids])
    # Also what somebody else has removed from pgAgent's list
    forget = """
        DELETE FROM pgagent_py.agent a WHERE a.jagpid = ANY ($1)
           AND NOT EXISTS (SELECT FROM pgagent.pga_jobagent j WHERE j.jagpid = a.jagpid)"""
    run(plpy, forget, ["int4[]"], [pids])
