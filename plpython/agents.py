"""Agents: who runs jobs here, who is gone, and what the gone left behind."""

from __future__ import annotations

import socket
import time
from typing import Any

from .errors import PgAgentError
from .limits import HELD_BACK, places
from .plan import run
from .roles import check_launch, check_use, may_launch, refresh_names, set_run_as
from .runs import abort_runs
from .steps import STEP_RUN, StepRow

# Seconds that an agent whose backend is gone has to come back before its jobs are closed, counted from when another
# agent first sees it missing: so a server that was down for long costs nobody a run.
GRACE = 5.0
GONE = "The agent that executed this step is gone."
# Seconds between two looks for the missing, and the shortest time between them.
LOOK_EVERY, LOOK_AGAIN = 3.0, 1.0

_looked_at = 0.0


def start_agent(plpy: Any, caller: str, agent: str, station: str | None = None) -> None:
    """Register this backend as *agent* on host *station*; an agent that comes back keeps its jobs.

    station NULL is the server's host name, for a session that drives run_due by hand.
    """
    check_launch(plpy, caller)
    refresh_names(plpy)
    rows = run(plpy, "SELECT a.jagpid FROM pgagent_py.agent a WHERE a.agent = $1", ["uuid"], [agent])
    old = rows[0]["jagpid"] if rows else None
    me = _session(plpy, caller)
    if old == me["pid"]:
        return
    _take_pid(plpy, me["pid"], station)
    if old is None:
        _register(plpy, agent, station, me, True)
    else:
        _take_over(plpy, agent, old, me)
    _close_released_runs(plpy)


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
    _take_pid(plpy, me["pid"], None)
    _register(plpy, agent, None, me, everything)
    _close_released_runs(plpy)


def _session(plpy: Any, caller: str) -> Any:
    """Return the pid of this backend, the id of the role *caller*, and whether it is this role that has logged in."""
    # Not session_user, which SET SESSION AUTHORIZATION changes, and a step could change back.
    sql = """
        SELECT s.pid, r.oid::int8 AS role, r.oid = s.usesysid AS own
          FROM pg_stat_activity s CROSS JOIN pg_roles r WHERE s.pid = pg_backend_pid() AND r.rolname = $1"""
    return run(plpy, sql, ["name"], [caller])[0]


def _take_pid(plpy: Any, pid: int, station: str | None) -> None:
    """Put this backend on pgAgent's list; a row with its pid was left by a backend that is gone, or is to be replaced."""
    _close_agents(plpy, [pid])
    register = "INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES ($1, $2)"
    run(plpy, register, ["int4", "text"], [pid, station or socket.gethostname()])


def _register(plpy: Any, agent: str, station: str | None, me: Any, everything: bool) -> None:
    insert = """
        INSERT INTO pgagent_py.agent (agent, jagpid, jagstation, jagrole, jagall, jagown)
        VALUES ($1, $2, $3, $4, $5, $6)"""
    values = [agent, me["pid"], station or socket.gethostname(), me["role"], everything, me["own"]]
    run(plpy, insert, ["uuid", "int4", "text", "oid", "bool", "bool"], values)


def _take_over(plpy: Any, agent: str, old: int, me: Any) -> None:
    """Move the jobs from the backend that *agent* had to this one."""
    move = "UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid() WHERE jobagentid = $1"
    run(plpy, move, ["int4"], [old])
    run(
        plpy, "UPDATE pgagent_py.waiting_run SET jagpid = pg_backend_pid() WHERE jagpid = $1", ["int4"], [old]
    )
    update = """
        UPDATE pgagent_py.agent SET jagpid = pg_backend_pid(), missing_since = NULL, jagrole = $2, jagown = $3, jagall = true
         WHERE agent = $1"""
    run(plpy, update, ["uuid", "oid", "bool"], [agent, me["role"], me["own"]])
    # Cut off from the client, but not yet noticed by the server.
    kill = "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pgagent.pga_jobagent j ON a.pid = j.jagpid"
    run(plpy, f"{kill} WHERE a.pid = $1 AND a.backend_start <= j.jaglogintime", ["int4"], [old])
    run(plpy, "DELETE FROM pgagent.pga_jobagent WHERE jagpid = $1", ["int4"], [old])


def stop_agent(plpy: Any, caller: str) -> None:
    """Remove the agent of this backend; what it still had in progress is closed as aborted."""
    me = _session(plpy, caller)
    mine = "SELECT FROM pgagent_py.agent a WHERE a.jagpid = $1 AND a.jagrole = $2"
    if run(plpy, mine, ["int4", "oid"], [me["pid"], me["role"]]):
        _close_agents(plpy, [me["pid"]])


RESUME = f"""
SELECT {STEP_RUN}
  FROM pgagent.pga_job j
  JOIN pgagent.pga_joblog r ON r.jlgjobid = j.jobid AND r.jlgstatus = 'r'
  JOIN pgagent.pga_jobsteplog l ON l.jsljlgid = r.jlgid AND l.jslstatus = 'r'
  JOIN pgagent.pga_jobstep s ON s.jstid = l.jsljstid
  LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = j.jobid
 WHERE j.jobagentid = pg_backend_pid()
   AND EXISTS (SELECT FROM pgagent_py.agent a WHERE a.agent = $1 AND a.jagpid = pg_backend_pid())"""


def steps_in_progress(plpy: Any, agent: str) -> list[StepRow]:
    """Return the steps that *agent*, which this backend is registered as, has been handed out and that have no result yet.

    An agent that comes back compares: one that it does not know was lost on the way to it and never started; one of its own
    that is missing here belongs to a run that was closed meanwhile.
    """
    steps = list(run(plpy, RESUME, ["uuid"], [agent]))
    set_run_as(plpy, steps)  # who may run them was decided when they were handed out
    return steps


def fail_orphans(plpy: Any) -> None:
    """Close the runs of agents that are gone, a grace time after they were first missed, and release their jobs.

    An agent of the C++ daemon has no identity beside its backend, so it can't come back and gets no grace.
    """
    global _looked_at
    if time.monotonic() < _looked_at + LOOK_AGAIN:
        return
    _looked_at = time.monotonic()
    # A pid may be another backend's by now: one that started after the agent had registered.
    missing = """
        SELECT j.jagpid, a.agent IS NOT NULL AS ours, a.missing_since IS NOT NULL AS missed,
               coalesce(clock_timestamp() - a.missing_since > make_interval(secs => $1), a.agent IS NULL) AS gone
          FROM pgagent.pga_jobagent j
          LEFT JOIN pgagent_py.agent a ON a.jagpid = j.jagpid
         WHERE NOT EXISTS (SELECT FROM pg_stat_activity s
                            WHERE s.pid = j.jagpid AND s.backend_start <= j.jaglogintime)"""
    rows = run(plpy, missing, ["float8"], [GRACE])
    new = [row["jagpid"] for row in rows if row["ours"] and not row["missed"]]
    if new:
        mark = """
            UPDATE pgagent_py.agent a SET missing_since = clock_timestamp()
             WHERE a.agent IN (SELECT b.agent FROM pgagent_py.agent b
                                WHERE b.jagpid = ANY ($1) AND b.missing_since IS NULL FOR UPDATE SKIP LOCKED)"""
        run(plpy, mark, ["int4[]"], [new])
    gone = [row["jagpid"] for row in rows if row["gone"]]
    # One closes, the others go on; who comes back (_take_over) and who closes exclude each other by the agent's row.
    lock = """
        SELECT j.jagpid FROM pgagent.pga_jobagent j WHERE j.jagpid = ANY ($1) FOR UPDATE SKIP LOCKED"""
    if gone:
        _close_agents(plpy, [row["jagpid"] for row in run(plpy, lock, ["int4[]"], [gone])])


def _close_agents(plpy: Any, pids: list[int]) -> None:
    """Close what the agents with these backend pids have in progress: runs and steps to d, jobs released.

    An agent with a job that another session has locked stays on the list, for the next look.
    """
    find = "SELECT j.jobid FROM pgagent.pga_job j WHERE j.jobagentid = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED"
    jobids = [row["jobid"] for row in run(plpy, find, ["int4[]"], [pids])]
    if jobids:
        abort_runs(plpy, pids, jobids, GONE)
    remove = """
        WITH gone AS (
            DELETE FROM pgagent.pga_jobagent g WHERE g.jagpid = ANY ($1)
               AND NOT EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobagentid = g.jagpid) RETURNING g.jagpid)
        DELETE FROM pgagent_py.agent a USING gone WHERE a.jagpid = gone.jagpid"""
    run(plpy, remove, ["int4[]"], [pids])


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
       (SELECT extract(epoch FROM min(w.not_before) - clock_timestamp())::float8
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
