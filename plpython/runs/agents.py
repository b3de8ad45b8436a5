"""Agents: who runs jobs here, who is gone, and what the gone left behind."""

from __future__ import annotations

import socket
import time
from typing import Any

from ..ground.errors import PgAgentError
from ..ground.plan import run
from ..ground.roles import check_launch, check_use, may_launch, refresh_names, set_run_as
from ..rules.clock import clock_was_corrected, follow_clock, recompute_after_correction
from .dependencies import set_parameters
from .limits import HELD_BACK, places
from .runs import abort_runs
from .steps import STEP_RUN, StepRow

# Seconds that an agent whose backend is gone has to come back before its jobs are closed, counted from when another
# agent first sees it missing: so a server that was down for long costs nobody a run.
GRACE = 5.0
GONE = "The agent that executed this step is gone."
# Seconds between two looks for the missing, and the shortest time between them.
LOOK_EVERY, LOOK_AGAIN = 3.0, 1.0

_looked_at = 0.0


def start_agent(
    plpy: Any, caller: str, agent: str, station: str | None = None, again: bool | None = None
) -> None:
    """Register this backend as *agent* on host *station*; an agent that comes back keeps its jobs.

    station NULL is the server's host name, for a session that drives run_due by hand. *again*: it comes back, even if nothing
    here knows it any more.
    """
    check_launch(plpy, caller)
    refresh_names(plpy)
    me = _session(plpy, caller)
    # Waits for whoever is closing what this agent left behind; then the rows are gone.
    known = """
        SELECT a.jagpid, a.backend_start = $2 AS here FROM pgagent_py.agent a WHERE a.agent = $1 FOR UPDATE"""
    former = run(plpy, known, ["uuid", "timestamptz"], [agent, me["backend_start"]])
    if any(row["jagpid"] == me["pid"] and row["here"] for row in former):
        return
    _register(plpy, agent, station, me, True)
    _take_over(plpy, agent, me["pid"])
    if not former and not again:
        found = run(plpy, REBOOT_JOBS, ["text"], [station or socket.gethostname()])
        run_reboot_jobs(plpy, [row["jobid"] for row in found])
    _close_released_runs(plpy)
    if clock_was_corrected(plpy):
        recompute_after_correction(plpy)


def start_session(plpy: Any, caller: str, agent: str) -> None:
    """Register this backend as the new *agent*, for run_due to execute in the session what *caller* may."""
    me, everything = _session(plpy, caller), may_launch(plpy, caller)
    if not everything and not me["own"]:
        raise PgAgentError(
            f"role {caller} has not logged in itself",
            hint="run_due() executes a role's own jobs in no session of a stronger role.",
            sqlstate="42501",
        )
    if not everything:
        check_use(plpy, caller, {})
    if run(plpy, "SELECT FROM pgagent_py.agent a WHERE a.agent = $1", ["uuid"], [agent]):
        raise PgAgentError("agent is another's already", sqlstate="42710")  # whose jobs this one must not get
    _register(plpy, agent, None, me, everything)
    _close_released_runs(plpy)


def _session(plpy: Any, caller: str) -> Any:
    """Return the pid of this backend, the id of the role *caller*, and whether it is this role that has logged in."""
    # Not session_user, which SET SESSION AUTHORIZATION changes, and a step could change back.
    sql = """
        SELECT s.pid, s.backend_start::text AS backend_start, r.oid::int8 AS role, r.oid = s.usesysid AS own
          FROM pg_stat_activity s CROSS JOIN pg_roles r WHERE s.pid = pg_backend_pid() AND r.rolname = $1"""
    return run(plpy, sql, ["name"], [caller])[0]


def _register(plpy: Any, agent: str, station: str | None, me: Any, everything: bool) -> None:
    """Put this backend, *me*, on the lists of agents."""
    _vacate(plpy, me["pid"])
    station = station or socket.gethostname()
    login = "INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES ($1, $2)"
    run(plpy, login, ["int4", "text"], [me["pid"], station])
    run(plpy, "SELECT pgagent_py._raise_sequences()")
    insert = """
        INSERT INTO pgagent_py.agent (jagpid, agent, jagstation, backend_start, jagrole, jagall, jagown)
        VALUES ($1, $2, $3, $4, $5, $6, $7)"""
    types = ["int4", "uuid", "text", "timestamptz", "oid", "bool", "bool"]
    run(
        plpy,
        insert,
        types,
        [me["pid"], agent, station, me["backend_start"], me["role"], everything, me["own"]],
    )


VACATE = """
WITH free AS (SELECT least(0, min(j.jagpid)) - 1 AS jagpid FROM pgagent.pga_jobagent j),
login AS (
    INSERT INTO pgagent.pga_jobagent (jagpid, jagstation)
    SELECT free.jagpid, a.jagstation FROM pgagent_py.agent a CROSS JOIN free WHERE a.jagpid = $1)
INSERT INTO pgagent_py.agent (jagpid, agent, jagstation, backend_start, jagrole, jagall, jagown)
SELECT free.jagpid, a.agent, a.jagstation, a.backend_start, a.jagrole, a.jagall, a.jagown
  FROM pgagent_py.agent a CROSS JOIN free WHERE a.jagpid = $1
RETURNING jagpid"""


def _vacate(plpy: Any, pid: int) -> None:
    """Free this backend's pid from an earlier backend that had it.

    Its agent may still come back, such as after a restart of the server: its jobs go to a number that is no pid.
    """
    if not run(plpy, "SELECT FROM pgagent.pga_jobagent j WHERE j.jagpid = $1", ["int4"], [pid]):
        return
    if moved := run(plpy, VACATE, ["int4"], [pid]):
        _move_jobs(plpy, pid, moved[0]["jagpid"])
    else:
        _close_agents(plpy, [pid])  # a daemon's


REBOOT_JOBS = """
SELECT j.jobid FROM pgagent.pga_job j
 WHERE j.jobenabled AND j.jobagentid IS NULL AND j.jobhostagent IN ('', $1) AND j.jobid IN (
       SELECT s.jscjobid FROM pgagent_py.schedule_option o JOIN pgagent.pga_schedule s ON s.jscid = o.jscid
        WHERE o.jscreboot AND s.jscenabled AND now() BETWEEN s.jscstart AND coalesce(s.jscend, 'infinity'))"""

# Those that a session has locked are left for a later turn: to wait here would hold up all others.
RUN_REBOOT_JOBS = """
WITH free AS MATERIALIZED (
    SELECT j.jobid FROM pgagent.pga_job j WHERE j.jobid = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED),
due AS (
    UPDATE pgagent.pga_job j SET jobnextrun = now() FROM free
     WHERE j.jobid = free.jobid AND j.jobenabled AND j.jobagentid IS NULL)
UPDATE pgagent_py.agent SET jagreboot = (
       SELECT array_agg(j.jobid) FROM pgagent.pga_job j
        WHERE j.jobid = ANY ($1) AND j.jobid NOT IN (SELECT free.jobid FROM free))
 WHERE jagpid = pg_backend_pid()"""


def run_reboot_jobs(plpy: Any, jobids: list[int]) -> None:
    """Make the jobs due that are to run because this agent has started; it keeps on its row those that are locked."""
    if jobids:
        run(plpy, RUN_REBOOT_JOBS, ["int4[]"], [jobids])


def _take_over(plpy: Any, agent: str, pid: int) -> None:
    """Give *pid* what the agent's former backends had."""
    update = "UPDATE pgagent_py.agent SET missing_since = NULL WHERE agent = $1"
    run(plpy, update, ["uuid"], [agent])
    # Cut off from the client, but not yet noticed by the server.
    kill = """
        SELECT a.jagpid, pg_terminate_backend(s.pid)
          FROM pgagent_py.agent a
          LEFT JOIN pg_stat_activity s ON s.pid = a.jagpid AND s.backend_start = a.backend_start
         WHERE a.agent = $1 AND a.jagpid <> $2"""
    for row in run(plpy, kill, ["uuid", "int4"], [agent, pid]):
        _move_jobs(plpy, row["jagpid"], pid)


def _move_jobs(plpy: Any, old: int, new: int) -> None:
    """Move the jobs claimed with pid *old* to *new*; *old* is forgotten unless a session has one of them locked."""
    move = """
        UPDATE pgagent.pga_job SET jobagentid = $2
         WHERE jobid IN (SELECT j.jobid FROM pgagent.pga_job j WHERE j.jobagentid = $1 FOR NO KEY UPDATE SKIP LOCKED)"""
    run(plpy, move, ["int4", "int4"], [old, new])
    run(plpy, "UPDATE pgagent_py.waiting_run SET jagpid = $2 WHERE jagpid = $1", ["int4", "int4"], [old, new])
    _forget(plpy, [old])


def _forget(plpy: Any, pids: list[int]) -> None:
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


def stop_agent(plpy: Any, caller: str) -> None:
    """Remove the agent of this backend; what it still had in progress is closed as aborted."""
    me = _session(plpy, caller)
    mine = """
        SELECT f.jagpid FROM pgagent_py.agent f JOIN pgagent_py.agent a ON a.agent = f.agent
         WHERE a.jagpid = $1 AND a.jagrole = $2"""
    pids = [row["jagpid"] for row in run(plpy, mine, ["int4", "oid"], [me["pid"], me["role"]])]
    if pids:
        _close_agents(plpy, pids)


FORMER = "SELECT o.jagpid FROM pgagent_py.own_jagpid o WHERE o.jagpid <> pg_backend_pid()"


def take_former_jobs(plpy: Any, pid: int) -> None:
    """Give *pid*, this backend, what it could not take when it came back, because a session had it locked."""
    for row in run(plpy, FORMER):
        _move_jobs(plpy, row["jagpid"], pid)


RESUME = f"""
SELECT {STEP_RUN}
  FROM pgagent.pga_job j
  JOIN pgagent.pga_joblog r ON r.jlgjobid = j.jobid AND r.jlgstatus = 'r'
  JOIN pgagent.pga_jobsteplog l ON l.jsljlgid = r.jlgid AND l.jslstatus = 'r'
  JOIN pgagent.pga_jobstep s ON s.jstid = l.jsljstid
  LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = j.jobid
 WHERE j.jobagentid IN (SELECT o.jagpid FROM pgagent_py.own_jagpid o)
   AND EXISTS (SELECT FROM pgagent_py.agent a WHERE a.agent = $1 AND a.jagpid = pg_backend_pid())"""


def steps_in_progress(plpy: Any, agent: str) -> list[StepRow]:
    """Return the steps that *agent*, which this backend is registered as, has been handed out and that have no result yet.

    An agent that comes back compares: one that it does not know was lost on the way to it and never started; one of its own
    that is missing here belongs to a run that was closed meanwhile.
    """
    steps = list(run(plpy, RESUME, ["uuid"], [agent]))
    set_parameters(plpy, steps)
    set_run_as(plpy, steps)  # who may run them was decided when they were handed out
    return steps


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
        _close_agents(plpy, [row["jagpid"] for row in gone])


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


def _close_agents(plpy: Any, pids: list[int]) -> None:
    """Close what the agents with these backend pids have in progress: runs and steps to d, jobs released.

    An agent with a job that another session has locked stays on the list, for the next look.
    """
    jobids = [row["jobid"] for row in run(plpy, CLOSABLE, ["int4[]"], [pids])]
    if jobids:
        abort_runs(plpy, pids, jobids, GONE)
    _forget(plpy, pids)


def _close_released_runs(plpy: Any) -> None:
    """Close runs that stand as running although no agent has their job, such as after a restore."""
    find = """
        SELECT DISTINCT j.jobid FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
         WHERE l.jlgstatus = 'r' AND j.jobagentid IS NULL"""
    jobids = [row["jobid"] for row in run(plpy, find)]
    if jobids:
        abort_runs(plpy, [], jobids, GONE)


# When the next job is due that this agent could start: {held} leaves out those that a pause or limit holds back.
NEXT_DUE = """
    SELECT extract(epoch FROM j.jobnextrun - clock_timestamp())::float8 FROM pgagent.pga_job j
     WHERE j.jobenabled AND j.jobagentid IS NULL AND j.jobnextrun IS NOT NULL AND j.jobhostagent IN ('', a.jagstation) {held}
     ORDER BY j.jobnextrun LIMIT 1"""

NEXT_WAKE = f"""
SELECT CASE WHEN l.held IS FALSE THEN ({NEXT_DUE.format(held="")}) END AS due, l.held,
       (SELECT extract(epoch FROM min(CASE WHEN w.waiting_since <= clock_timestamp() THEN w.not_before ELSE clock_timestamp() END)
                             - clock_timestamp())::float8
          FROM pgagent_py.waiting_run w WHERE w.jagpid = a.jagpid) AS waiting,
       (SELECT least($1, min(extract(epoch FROM o.missing_since - clock_timestamp())::float8 + $2))
          FROM pgagent.pga_jobagent p LEFT JOIN pgagent_py.agent o ON o.jagpid = p.jagpid
         WHERE p.jagpid <> a.jagpid HAVING count(*) > 0) AS look
  FROM pgagent_py.agent a
 CROSS JOIN (SELECT EXISTS (SELECT FROM pgagent_py.pause) OR EXISTS (SELECT FROM pgagent_py.job_limit) AS held) l
 WHERE a.jagpid = pg_backend_pid()"""

NEXT_DUE_HELD = f"""
SELECT ({NEXT_DUE.format(held=HELD_BACK)}) AS due FROM pgagent_py.agent a WHERE a.jagpid = pg_backend_pid()"""


def next_wake(plpy: Any) -> float | None:
    """Return the seconds until the next turn of this backend's agent is due; None when nothing is foreseen.

    0 or less: there is something due that the last turn did not take, such as a job that another session has locked.
    """
    rows = run(plpy, NEXT_WAKE, ["float8", "float8"], [LOOK_EVERY, GRACE])
    if not rows:
        return None
    (row,) = rows
    look: float | None = row["look"]  # others are registered: they may go missing
    times = [row["due"], row["waiting"], None if look is None else max(look, LOOK_AGAIN)]
    if row["held"]:
        free = places(plpy)
        if not free.everything_paused:
            values = [free.full_classes(), free.full_groups()]
            times += [found["due"] for found in run(plpy, NEXT_DUE_HELD, ["int4[]", "text[]"], values)]
    return min((seconds for seconds in times if seconds is not None), default=None)
