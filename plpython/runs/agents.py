"""Agents: who runs jobs here. One comes with a backend, comes back with another, and goes."""

from __future__ import annotations

import socket
from typing import Any

from ..ground.errors import PgAgentError
from ..ground.plan import run
from ..ground.roles import check_launch, check_use, may_launch, refresh_names
from ..rules.clock import clock_was_corrected, recompute_after_correction
from .orphans import close_agents, close_released_runs, forget_agents
from .reboot import REBOOT_JOBS, run_reboot_jobs


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
    close_released_runs(plpy)
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
    close_released_runs(plpy)


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
        close_agents(plpy, [pid])  # a daemon's


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
    forget_agents(plpy, [old])


def stop_agent(plpy: Any, caller: str) -> None:
    """Remove the agent of this backend; what it still had in progress is closed as aborted."""
    me = _session(plpy, caller)
    mine = """
        SELECT f.jagpid FROM pgagent_py.agent f JOIN pgagent_py.agent a ON a.agent = f.agent
         WHERE a.jagpid = $1 AND a.jagrole = $2"""
    pids = [row["jagpid"] for row in run(plpy, mine, ["int4", "oid"], [me["pid"], me["role"]])]
    if pids:
        close_agents(plpy, pids)


FORMER = "SELECT o.jagpid FROM pgagent_py.own_jagpid o WHERE o.jagpid <> pg_backend_pid()"


def take_former_jobs(plpy: Any, pid: int) -> None:
    """Give *pid*, this backend, what it could not take when it came back, because a session had it locked."""
    for row in run(plpy, FORMER):
        _move_jobs(plpy, row["jagpid"], pid)
