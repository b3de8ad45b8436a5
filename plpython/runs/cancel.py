"""Cancelling runs in progress."""

from __future__ import annotations

from typing import Any

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run
from ..ground.roles import missing
from .finish import abort_runs, finish_jobs, note_runs
from .waiting import FORGET_WAITING
from .wake import wake

# A statement of its own, so that the next sees all that was done meanwhile, not only in this row.
LOCK_JOB_OF_RUN = """
SELECT FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid WHERE l.jlgid = $1 FOR NO KEY UPDATE OF j"""

# An agent that has come back is alive with another backend than that which the job may still be claimed with.
FIND_RUN = """
SELECT l.jlgstatus::text AS jlgstatus, j.jobid, j.jobagentid, a.agent IS NOT NULL AS ours,
       CASE WHEN a.agent IS NULL
            THEN EXISTS (SELECT FROM pgagent.pga_jobagent p JOIN pg_stat_activity s ON s.pid = p.jagpid
                          WHERE p.jagpid = j.jobagentid AND s.backend_start <= p.jaglogintime)
            ELSE EXISTS (SELECT FROM pgagent_py.agent b
                           JOIN pg_stat_activity s ON s.pid = b.jagpid AND s.backend_start = b.backend_start
                          WHERE b.agent = a.agent) END AS alive
  FROM pgagent.pga_joblog l
  JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
  LEFT JOIN pgagent_py.agent a ON a.jagpid = j.jobagentid
 WHERE l.jlgid = $1"""

MARK_CANCELLED = """
INSERT INTO pgagent_py.run_option (jlgid, jlgcancelledby) VALUES ($1, $2)
    ON CONFLICT (jlgid) DO UPDATE SET jlgcancelledby = coalesce(run_option.jlgcancelledby, excluded.jlgcancelledby)"""


def cancelled_by(caller: str) -> str:
    """Return what the log says of a run that *caller* has cancelled."""
    return f"The run was cancelled by {caller}."


def cancel_run(plpy: Any, caller: str, run: int | None = None) -> None:
    """End a run in progress: its launcher is told to stop the step that it executes; without a launcher it is closed here."""
    if run is None:
        raise invalid("run", "run is missing", "Give a jlgid of pgagent.pga_joblog.")
    _cancel_run(plpy, caller, run)


def _cancel_run(plpy: Any, caller: str, jlgid: int) -> None:
    # The lock makes it wait for a launcher's turn to end, and keeps another from booking this run's end meanwhile.
    run(plpy, LOCK_JOB_OF_RUN, ["int4"], [jlgid])
    rows = run(plpy, FIND_RUN, ["int4"], [jlgid])
    if not rows:
        raise missing("run", jlgid)
    found = rows[0]
    if found["jlgstatus"] != "r":
        raise PgAgentError(f"run {jlgid} is not in progress", hint="It has ended already.", sqlstate="55000")
    pids = [found["jobagentid"]]
    if not found["alive"]:
        abort_runs(plpy, pids, [found["jobid"]], cancelled_by(caller))
        return
    if not found["ours"]:
        raise PgAgentError(
            f"run {jlgid} is executed by pgAgent's own daemon, which takes no such order",
            hint="Look for its step in pg_stat_activity, or stop the daemon.",
            sqlstate="55000",
        )
    run(plpy, MARK_CANCELLED, ["int4", "text"], [jlgid, caller])
    if run(plpy, FORGET_WAITING, ["int4"], [jlgid]):
        note_runs(plpy, {jlgid: cancelled_by(caller)})
        finish_jobs(plpy, pids, [(found["jobid"], jlgid, "d")])
        wake(plpy)
    else:
        run(plpy, "SELECT pg_notify('pgagent_py', 'cancel')")


CANCELLED_RUNS = """
SELECT o.jlgid, o.jlgcancelledby
  FROM pgagent_py.run_option o
  JOIN pgagent.pga_joblog l ON l.jlgid = o.jlgid AND l.jlgstatus = 'r'
  JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
  JOIN pgagent_py.agent a ON a.jagpid = j.jobagentid
 WHERE o.jlgcancelledby IS NOT NULL AND a.jagpid IN (SELECT w.jagpid FROM pgagent_py.own_jagpid w)"""


def cancelled_runs(plpy: Any) -> list[tuple[int, str]]:
    """Return the runs of this backend's agent that are to be ended, with what their log is to say."""
    return [(row["jlgid"], cancelled_by(row["jlgcancelledby"])) for row in run(plpy, CANCELLED_RUNS)]
