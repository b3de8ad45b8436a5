"""Cancelling runs in progress."""

from __future__ import annotations

from typing import TypedDict

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import missing
from ..ground.vocabulary import ABORTED, RUNNING
from .finish import abort_runs, finish_jobs, note_runs
from .rows import Ended
from .waiting import forget_waiting
from .wake import wake


def cancelled_by(caller: str) -> str:
    """Return what the log says of a run that *caller* has cancelled."""
    return f"The run was cancelled by {caller}."


class FoundRow(TypedDict):
    """A run to cancel, and its agent: ours, not pgAgent's daemon; alive."""

    jlgstatus: str
    jobid: int
    jobagentid: int | None
    ours: bool
    alive: bool


# A statement of its own, so that the next sees all that was done meanwhile, not only in this row.
LOCK_JOB_OF_RUN = Statement(
    """
SELECT FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid WHERE l.jlgid = $1 FOR NO KEY UPDATE OF j""",
    "int4",
)

# An agent that has come back is alive with another backend than the one that the job may still be claimed with.
FIND_RUN = Statement(
    """
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
 WHERE l.jlgid = $1""",
    "int4",
    row=FoundRow,
)

MARK_CANCELLED = Statement(
    """
INSERT INTO pgagent_py.run_option (jlgid, jlgcancelledby) VALUES ($1, $2)
    ON CONFLICT (jlgid) DO UPDATE SET jlgcancelledby = coalesce(run_option.jlgcancelledby, excluded.jlgcancelledby)""",
    "int4",
    "text",
)


def cancel_run(plpy: Plpy, caller: str, run: int | None = None) -> None:
    """End a run in progress: its launcher is told to stop the step that it executes; without a launcher it is closed here."""
    if run is None:
        raise invalid("run", "run is missing", "Give a jlgid of pgagent.pga_joblog.")
    # The lock makes it wait for a launcher's turn to end, and keeps another from booking this run's end meanwhile.
    LOCK_JOB_OF_RUN(plpy, run)
    rows = FIND_RUN(plpy, run)
    if not rows:
        raise missing("run", run)
    found = rows[0]
    if found["jlgstatus"] != RUNNING:
        raise PgAgentError(f"run {run} is not in progress", hint="It has ended already.", sqlstate="55000")
    pids = [] if found["jobagentid"] is None else [found["jobagentid"]]
    if not found["alive"]:
        abort_runs(plpy, pids, [found["jobid"]], cancelled_by(caller))
        return
    if not found["ours"]:
        raise PgAgentError(
            f"run {run} is executed by pgAgent's own daemon, which takes no such order",
            hint="Look for its step in pg_stat_activity, or stop the daemon.",
            sqlstate="55000",
        )
    MARK_CANCELLED(plpy, run, caller)
    # A run that waits for its next step needs no launcher to end. One that waits for its result to be booked does.
    if forget_waiting(plpy, run):
        note_runs(plpy, {run: cancelled_by(caller)})
        finish_jobs(plpy, pids, [Ended(found["jobid"], run, ABORTED)])
        wake(plpy)
    else:
        wake(plpy, "cancel")


class CancelledRow(TypedDict):
    """A run that is to be ended, and the role that wants it."""

    jlgid: int
    jlgcancelledby: str


CANCELLED_RUNS = Statement(
    """
SELECT o.jlgid, o.jlgcancelledby
  FROM pgagent_py.run_option o
  JOIN pgagent.pga_joblog l ON l.jlgid = o.jlgid AND l.jlgstatus = 'r'
  JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
  JOIN pgagent_py.agent a ON a.jagpid = j.jobagentid
 WHERE o.jlgcancelledby IS NOT NULL AND a.jagpid IN (SELECT w.jagpid FROM pgagent_py.own_jagpid w)""",
    row=CancelledRow,
)


def cancelled_runs(plpy: Plpy) -> list[tuple[int, str]]:
    """Return the runs of this backend's agent that are to be ended, with what their log is to say."""
    return [(row["jlgid"], cancelled_by(row["jlgcancelledby"])) for row in CANCELLED_RUNS(plpy)]
