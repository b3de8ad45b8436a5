"""Orphans: runs that an agent has left in progress, because it is gone or stops. They are closed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..rules.clock import follow_clock
from .finish import abort_runs
from .wake import GRACE_SECONDS, LOOK_AGAIN_SECONDS

# When this session has last looked for missing agents, by time.monotonic().
_looked_at = 0.0


class MissingRow(TypedDict):
    """The pid of an agent without a backend; ours: not pgAgent's daemon."""

    jagpid: int
    ours: bool


# Backends by pid and the time of their start: a pid may be another backend's by now. The C++ daemon, which has no row in
# pgagent_py.agent, has logged in after its backend started.
MISSING = Statement(
    """
SELECT coalesce(j.jagpid, a.jagpid) AS jagpid, a.agent IS NOT NULL AS ours
  FROM pgagent.pga_jobagent j
  FULL JOIN pgagent_py.agent a ON a.jagpid = j.jagpid
 WHERE NOT EXISTS (
        SELECT FROM pg_stat_activity s LEFT JOIN pgagent_py.agent b ON b.jagpid = s.pid
         WHERE s.backend_type = 'client backend'
           AND CASE WHEN a.agent IS NULL THEN s.pid = j.jagpid AND s.backend_start <= j.jaglogintime
                    ELSE b.agent = a.agent AND b.backend_start = s.backend_start END)""",
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

# One agent closes, the others go on. An agent that comes back (start_agent) and one that closes exclude each other by the row.
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
        close_agents(plpy, [row["jagpid"] for row in gone])


GONE = "The agent that executed this step is gone."

# A job of which a session has a log row locked is left for the next look.
CLOSABLE = Statement(
    """
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
                OR s.jslid IS NOT NULL AND s.jslid NOT IN (SELECT steps.jslid FROM steps)))""",
    "int4[]",
)


def close_agents(plpy: Plpy, pids: Sequence[int]) -> None:
    """Close what the agents with these backend pids have in progress: runs and steps to d, jobs released.

    An agent with a job that another session has locked stays on the list, for the next look.
    """
    jobids = [row["jobid"] for row in CLOSABLE(plpy, pids)]
    if jobids:
        abort_runs(plpy, pids, jobids, GONE)
    forget_agents(plpy, pids)


LOG_OUT = Statement(
    """
DELETE FROM pgagent.pga_jobagent g WHERE g.jagpid = ANY ($1)
   AND NOT EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobagentid = g.jagpid)""",
    "int4[]",
)
# Also an agent that a user has removed from pgAgent's list.
FORGET_AGENTS = Statement(
    """
DELETE FROM pgagent_py.agent a WHERE a.jagpid = ANY ($1)
   AND NOT EXISTS (SELECT FROM pgagent.pga_jobagent j WHERE j.jagpid = a.jagpid)""",
    "int4[]",
)


def forget_agents(plpy: Plpy, pids: Sequence[int]) -> None:
    """Remove these pids from the lists of agents, except those that jobs are still claimed with."""
    LOG_OUT(plpy, pids)
    FORGET_AGENTS(plpy, pids)


RELEASED_RUNS = Statement("""
SELECT DISTINCT j.jobid FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
 WHERE l.jlgstatus = 'r' AND j.jobagentid IS NULL""")


def close_released_runs(plpy: Plpy) -> None:
    """Close runs that stand as running although no agent has their job, for example after a restore."""
    jobids = [row["jobid"] for row in RELEASED_RUNS(plpy)]
    if jobids:
        abort_runs(plpy, [], jobids, GONE)
