"""Agents: they run jobs here. An agent comes with a backend, may come back with another, and goes.

A launcher is an agent. A session that calls run_due() is one for the time of the call.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TypedDict

from ..ground.errors import PgAgentError
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import check_launch, check_use, may_launch, refresh_names
from ..rules.clock import clock_was_corrected, recompute_after_correction
from .alerts import show_alive
from .orphans import close_agents, close_released_runs, forget_agents, leave_closed
from .problems import retry_schedules
from .reboot import reboot_jobs, run_reboot_jobs
from .waiting import carry_on_booked

FORMER_BACKENDS = Statement(
    """
SELECT a.jagpid, a.backend_start = $2 AS here, a.jagknows,
       EXISTS (SELECT FROM pgagent_py.living_agent v WHERE v.agent = a.agent) AS living
  FROM pgagent_py.agent a WHERE a.agent = $1""",
    "uuid",
    "timestamptz",
)


CHECK_SERVED = Statement("SELECT pgagent_py._check_served()")


def start_agent(
    plpy: Plpy,
    caller: str,
    agent: str,
    station: str | None = None,
    again: bool | None = None,
    knows: Sequence[str | None] | None = None,
    pooled: bool | None = None,
    version: str | None = None,
    places: int | None = None,
) -> None:
    """Register this backend as *agent* on host *station*; an agent that comes back keeps its jobs.

    station NULL is the server's host name, for a session that drives run_due by hand. *again*: it comes back, even if nothing
    here knows it any more. *knows*: kinds of steps that it can execute, see the view step_need. *pooled*: a connection pooler
    stands between, so that this backend may outlive the agent. *version*, *places*: see the view launchers.
    """
    check_launch(plpy, caller)
    CHECK_SERVED(plpy)
    refresh_names(plpy)
    me = _session(plpy, caller)
    former = FORMER_BACKENDS(plpy, agent, me["backend_start"])
    if any(row["jagpid"] == me["pid"] and row["here"] for row in former):
        return
    station = station or socket.gethostname()
    known = [kind for kind in knows or () if kind is not None] or (former[0]["jagknows"] if former else [])
    _register(plpy, agent, station, me, True, known, bool(pooled), version, places)
    _take_over(plpy, agent, me["pid"])
    leave_closed(plpy, agent, any(row["living"] for row in former))
    carry_on_booked(plpy, agent)
    if not former and not again:
        run_reboot_jobs(plpy, reboot_jobs(plpy, station, known))
    close_released_runs(plpy, agent)
    retry_schedules(plpy)
    if clock_was_corrected(plpy):
        recompute_after_correction(plpy)


KNOWN_AGENT = Statement("SELECT FROM pgagent_py.agent a WHERE a.agent = $1", "uuid")


def start_session(plpy: Plpy, caller: str, agent: str) -> None:
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
    if KNOWN_AGENT(plpy, agent):
        raise PgAgentError("agent is another's already", sqlstate="42710")  # whose jobs this one must not get
    _register(plpy, agent, socket.gethostname(), me, everything, [], False)
    if everything:
        close_released_runs(plpy, agent)


class Session(TypedDict):
    """This backend, the id of the role that calls, and whether it is this role that has logged in."""

    pid: int
    backend_start: str
    role: int
    own: bool


# Not session_user, which SET SESSION AUTHORIZATION changes, and a step could change back.
SESSION = Statement(
    """
SELECT s.pid, s.backend_start::text AS backend_start, r.oid::int8 AS role, r.oid = s.usesysid AS own
  FROM pg_stat_activity s CROSS JOIN pg_roles r WHERE s.pid = pg_backend_pid() AND r.rolname = $1""",
    "name",
    row=Session,
)


def _session(plpy: Plpy, caller: str) -> Session:
    return SESSION(plpy, caller)[0]


LOG_IN = Statement("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES ($1, $2)", "int4", "text")
RAISE_SEQUENCES = Statement("SELECT pgagent_py._raise_sequences()")
REGISTER = Statement(
    """
INSERT INTO pgagent_py.agent (jagpid, agent, jagstation, backend_start, jagrole, jagall, jagown, jagknows, jagpooled,
                              jagversion, jagplaces, jagleft, jagserves)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
       -- what it has left it does not take up again, however often it comes back
       (SELECT array_agg(DISTINCT l.jlgid) FROM pgagent_py.agent f CROSS JOIN unnest(f.jagleft) l (jlgid) WHERE f.agent = $2),
       -- without a break: another agent serves, or this one has come back
       greatest(pg_postmaster_start_time(), coalesce(min(coalesce(a.jagserves, l.jaglogintime)), clock_timestamp()))
  FROM pgagent.pga_jobagent l LEFT JOIN pgagent_py.agent a ON a.jagpid = l.jagpid
 WHERE l.jagpid <> $1 AND (a.agent = $2 OR EXISTS (
       SELECT FROM pgagent_py.living_agent v WHERE v.jagpid = l.jagpid AND v.agent IS NOT DISTINCT FROM a.agent))""",
    "int4",
    "uuid",
    "text",
    "timestamptz",
    "oid",
    "bool",
    "bool",
    "text[]",
    "bool",
    "text",
    "int4",
)


def _register(
    plpy: Plpy,
    agent: str,
    station: str,
    me: Session,
    everything: bool,
    knows: Sequence[str],
    pooled: bool,
    version: str | None = None,
    places: int | None = None,
) -> None:
    """Put this backend, *me*, on the lists of agents."""
    _vacate(plpy, me["pid"])
    LOG_IN(plpy, me["pid"], station)
    RAISE_SEQUENCES(plpy)
    whose = me["backend_start"], me["role"], everything, me["own"]
    REGISTER(plpy, me["pid"], agent, station, *whose, knows, pooled, version, places)


LOGGED_IN = Statement("SELECT FROM pgagent.pga_jobagent j WHERE j.jagpid = $1", "int4")

VACATE = Statement(
    """
WITH free AS (SELECT least(0, min(j.jagpid)) - 1 AS jagpid FROM pgagent.pga_jobagent j),
login AS (
    INSERT INTO pgagent.pga_jobagent (jagpid, jagstation)
    SELECT free.jagpid, a.jagstation FROM pgagent_py.agent a CROSS JOIN free WHERE a.jagpid = $1)
INSERT INTO pgagent_py.agent (jagpid, agent, jagstation, backend_start, jagrole, jagall, jagown, jagknows,
                              jagpooled, last_seen, jagversion, jagplaces, jagleft, jagserves)
SELECT free.jagpid, a.agent, a.jagstation, a.backend_start, a.jagrole, a.jagall, a.jagown, a.jagknows, a.jagpooled, a.last_seen,
       a.jagversion, a.jagplaces, a.jagleft, a.jagserves
  FROM pgagent_py.agent a CROSS JOIN free WHERE a.jagpid = $1
RETURNING jagpid""",
    "int4",
)


def _vacate(plpy: Plpy, pid: int) -> None:
    """Free this backend's pid from an earlier backend that had it.

    Its agent may still come back, for example after a restart of the server: its jobs go to a number that is no pid.
    """
    if not LOGGED_IN(plpy, pid):
        return
    if moved := VACATE(plpy, pid):
        _move_jobs(plpy, pid, moved[0]["jagpid"])
    else:
        close_agents(plpy, [pid])  # a daemon's


# A row that another agent's turn has locked keeps its time; it does not count while another row of the agent has none.
FOUND_AGAIN = Statement(
    """
UPDATE pgagent_py.agent SET missing_since = NULL
 WHERE jagpid IN (SELECT a.jagpid FROM pgagent_py.agent a WHERE a.agent = $1 FOR NO KEY UPDATE SKIP LOCKED)""",
    "uuid",
)
# A backend that is cut off from the launcher, which the server has not noticed yet.
END_FORMER_BACKENDS = Statement(
    """
SELECT a.jagpid, pg_terminate_backend(s.pid)
  FROM pgagent_py.agent a
  LEFT JOIN pg_stat_activity s ON s.pid = a.jagpid AND s.backend_start = a.backend_start
 WHERE a.agent = $1 AND a.jagpid <> $2""",
    "uuid",
    "int4",
)


def _take_over(plpy: Plpy, agent: str, pid: int) -> None:
    """Give *pid* the jobs of the agent's former backends."""
    FOUND_AGAIN(plpy, agent)
    for row in END_FORMER_BACKENDS(plpy, agent, pid):
        _move_jobs(plpy, row["jagpid"], pid)


MOVE_JOBS = Statement(
    """
UPDATE pgagent.pga_job SET jobagentid = $2
 WHERE jobid = ANY (ARRAY(SELECT j.jobid FROM pgagent.pga_job j WHERE j.jobagentid = $1 FOR NO KEY UPDATE SKIP LOCKED))""",
    "int4",
    "int4",
)


def _move_jobs(plpy: Plpy, old: int, new: int) -> None:
    """Move the jobs claimed with pid *old* to *new*; *old* is forgotten unless a session has one of them locked."""
    MOVE_JOBS(plpy, old, new)
    forget_agents(plpy, [old])


OWN_BACKENDS = Statement(
    """
SELECT f.jagpid FROM pgagent_py.agent f JOIN pgagent_py.agent a ON a.agent = f.agent
 WHERE a.jagpid = $1 AND a.jagrole = $2""",
    "int4",
    "oid",
)


# Its runs that do not end with it need not wait for it.
WILL_NOT_COME_BACK = Statement(
    """
UPDATE pgagent_py.agent SET missing_since = '-infinity'
 WHERE jagpid IN (SELECT a.jagpid FROM pgagent_py.agent a WHERE a.jagpid = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED)""",
    "int4[]",
)


def stop_agent(plpy: Plpy, caller: str) -> None:
    """Remove the agent of this backend; runs that it still had in progress are closed as aborted."""
    me = _session(plpy, caller)
    pids = [row["jagpid"] for row in OWN_BACKENDS(plpy, me["pid"], me["role"])]
    if pids:
        show_alive(plpy)
        close_agents(plpy, pids)
        WILL_NOT_COME_BACK(plpy, pids)


LEFT_BACKENDS = Statement("SELECT o.jagpid FROM pgagent_py.own_jagpid o WHERE o.jagpid <> pg_backend_pid()")


def take_former_jobs(plpy: Plpy, pid: int) -> None:
    """Give *pid*, this backend, the jobs that it could not take when it came back, because a session had them locked."""
    for row in LEFT_BACKENDS(plpy):
        _move_jobs(plpy, row["jagpid"], pid)
