"""Agents: who runs jobs here, who is gone, and what the gone left behind."""

from __future__ import annotations

import socket
import time
from typing import Any

from .plan import run
from .roles import check_launch
from .steps import STEP_RUN, StepRow

# Seconds that an agent whose backend is gone has to come back before its jobs are closed, counted from when another
# agent first sees it missing: so a server that was down for long costs nobody a run.
GRACE = 5.0
# Seconds between two looks for the missing, and the shortest time between them.
LOOK_EVERY, LOOK_AGAIN = 3.0, 1.0

_looked_at = 0.0


def start_agent(plpy: Any, caller: str, agent: str, station: str | None = None) -> None:
    """Register this backend as *agent* on host *station*; an agent that comes back keeps its jobs.

    station NULL is the server's host name, for a session that drives run_due by hand.
    """
    check_launch(plpy, caller)
    # A row with this backend's pid was left by a backend that is gone: the pid is ours now.
    rows = run(plpy, "SELECT a.jagpid FROM pgagent_py.agent a WHERE a.agent = $1", ["uuid"], [agent])
    old = rows[0]["jagpid"] if rows else None
    (me,) = run(plpy, "SELECT pg_backend_pid() AS pid")
    if old == me["pid"]:
        return
    _close_agents(plpy, [me["pid"]])
    register = "INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), $1)"
    run(plpy, register, ["text"], [station or socket.gethostname()])
    if old is None:
        insert = "INSERT INTO pgagent_py.agent (agent, jagpid, jagstation) VALUES ($1, pg_backend_pid(), $2)"
        run(plpy, insert, ["uuid", "text"], [agent, station or socket.gethostname()])
    else:
        _take_over(plpy, agent, old)
    _close_released_runs(plpy)


def _take_over(plpy: Any, agent: str, old: int) -> None:
    """Move the jobs from the backend that *agent* had to this one."""
    move = "UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid() WHERE jobagentid = $1"
    run(plpy, move, ["int4"], [old])
    run(
        plpy, "UPDATE pgagent_py.waiting_run SET jagpid = pg_backend_pid() WHERE jagpid = $1", ["int4"], [old]
    )
    update = "UPDATE pgagent_py.agent SET jagpid = pg_backend_pid(), missing_since = NULL WHERE agent = $1"
    run(plpy, update, ["uuid"], [agent])
    # Cut off from the client, but not yet noticed by the server.
    kill = "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pgagent.pga_jobagent j ON a.pid = j.jagpid"
    run(plpy, f"{kill} WHERE a.pid = $1 AND a.backend_start <= j.jaglogintime", ["int4"], [old])
    run(plpy, "DELETE FROM pgagent.pga_jobagent WHERE jagpid = $1", ["int4"], [old])


def stop_agent(plpy: Any, caller: str) -> None:
    """Remove the agent of this backend; what it still had in progress is closed as aborted."""
    check_launch(plpy, caller)
    (me,) = run(plpy, "SELECT pg_backend_pid() AS pid")
    _close_agents(plpy, [me["pid"]])


RESUME = f"""
SELECT {STEP_RUN}
  FROM pgagent.pga_job j
  JOIN pgagent.pga_joblog r ON r.jlgjobid = j.jobid AND r.jlgstatus = 'r'
  JOIN pgagent.pga_jobsteplog l ON l.jsljlgid = r.jlgid AND l.jslstatus = 'r'
  JOIN pgagent.pga_jobstep s ON s.jstid = l.jsljstid
  LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
 WHERE j.jobagentid = pg_backend_pid() AND EXISTS (SELECT FROM pgagent_py.this_agent)"""


def steps_in_progress(plpy: Any) -> list[StepRow]:
    """Return the steps that this backend's agent has been handed out and that have no result yet.

    An agent that comes back compares: one that it does not know was lost on the way to it and never started; one of its own
    that is missing here belongs to a run that was closed meanwhile.
    """
    return list(run(plpy, RESUME))


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
        _close_runs(plpy, jobids)
        release = "UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL WHERE jobid = ANY ($1)"
        run(plpy, release, ["int4[]"], [jobids])
    remove = """
        WITH gone AS (
            DELETE FROM pgagent.pga_jobagent g WHERE g.jagpid = ANY ($1)
               AND NOT EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobagentid = g.jagpid) RETURNING g.jagpid)
        DELETE FROM pgagent_py.agent a USING gone WHERE a.jagpid = gone.jagpid"""
    run(plpy, remove, ["int4[]"], [pids])


def _close_runs(plpy: Any, jobids: list[int]) -> None:
    """Mark the open runs of these jobs, and their steps, as aborted."""
    close = """
        WITH open AS (
            UPDATE pgagent.pga_joblog SET jlgstatus = 'd', jlgduration = clock_timestamp() - jlgstart
             WHERE jlgjobid = ANY ($1) AND jlgstatus = 'r' RETURNING jlgid),
        forgotten AS (DELETE FROM pgagent_py.waiting_run w USING open WHERE w.jlgid = open.jlgid)
        UPDATE pgagent.pga_jobsteplog s
           SET jslstatus = 'd', jslduration = clock_timestamp() - jslstart,
               jsloutput = concat_ws(E'\\n', nullif(jsloutput, ''), 'The agent that executed this step is gone.')
          FROM open WHERE s.jsljlgid = open.jlgid AND s.jslstatus = 'r'"""
    run(plpy, close, ["int4[]"], [jobids])


def _close_released_runs(plpy: Any) -> None:
    """Close runs that stand as running although no agent has their job, such as after a restore."""
    find = """
        SELECT DISTINCT j.jobid FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
         WHERE l.jlgstatus = 'r' AND j.jobagentid IS NULL"""
    jobids = [row["jobid"] for row in run(plpy, find)]
    if jobids:
        _close_runs(plpy, jobids)


NEXT_WAKE = """
SELECT extract(epoch FROM least(
         (SELECT j.jobnextrun FROM pgagent.pga_job j
           WHERE j.jobenabled AND j.jobagentid IS NULL AND j.jobnextrun IS NOT NULL AND j.jobhostagent IN ('', a.jagstation)
           ORDER BY j.jobnextrun LIMIT 1),
         (SELECT min(w.not_before) FROM pgagent_py.waiting_run w WHERE w.jagpid = a.jagpid)
       ) - clock_timestamp())::float8 AS seconds,
       (SELECT least($1, min(extract(epoch FROM o.missing_since - clock_timestamp())::float8 + $2))
          FROM pgagent.pga_jobagent p LEFT JOIN pgagent_py.agent o ON o.jagpid = p.jagpid
         WHERE p.jagpid <> a.jagpid HAVING count(*) > 0) AS look
  FROM pgagent_py.agent a WHERE a.jagpid = pg_backend_pid()"""


def next_wake(plpy: Any) -> float | None:
    """Return the seconds until the next turn of this backend's agent is due; None when nothing is foreseen.

    0 or less: there is something due that the last turn did not take, such as a job that another session has locked.
    """
    rows = run(plpy, NEXT_WAKE, ["float8", "float8"], [LOOK_EVERY, GRACE])
    if not rows:
        return None
    seconds: float | None = rows[0]["seconds"]
    look: float | None = rows[0]["look"]  # others are registered: they may go missing
    if look is not None:
        look = max(look, LOOK_AGAIN)
        seconds = look if seconds is None else min(seconds, look)
    return seconds
