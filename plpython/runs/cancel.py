"""Cancelling runs in progress."""

from __future__ import annotations

from typing import TypedDict

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import missing
from ..ground.vocabulary import ABORTED, RUNNING, THIS_BACKEND
from .finish import abort_runs, finish_jobs, note_runs
from .rows import Ended, RunId
from .wake import wake
from .window_ends import stopped_at


def cancelled_by(caller: str) -> str:
    """Return what the log says of a run that *caller* has cancelled."""
    return f"The run was cancelled by {caller}."


class FoundRow(TypedDict):
    """A run to cancel, and its agent: ours, not pgAgent's daemon; alive; whether it has a step of the run, which may last."""

    jlgstatus: str
    jobid: int
    pids: list[int]
    ours: bool
    alive: bool
    executing: bool
    lasting: bool


# A statement of its own, so that the next sees all that was done meanwhile, not only in this row.
LOCK_JOB_OF_RUN = Statement(
    """
SELECT FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid WHERE l.jlgid = $1 FOR NO KEY UPDATE OF j""",
    "int4",
)

# The agent of a run of ours is in run; that of the daemon's is the one that the job is claimed with.
FIND_RUN = Statement(
    """
SELECT l.jlgstatus::text AS jlgstatus, j.jobid, p.jlgid IS NOT NULL AS ours,
       coalesce((SELECT array_agg(a.jagpid) FROM pgagent_py.agent a WHERE a.agent = p.agent),
                array_remove(ARRAY[j.jobagentid], NULL)) AS pids,
       EXISTS (SELECT FROM pgagent_py.living_agent v
                WHERE CASE WHEN p.jlgid IS NULL THEN v.jagpid = j.jobagentid AND v.agent IS NULL
                           ELSE v.agent = p.agent END) AS alive,
       p.jslid IS NOT NULL AND NOT p.booked AS executing, p.engine IS NOT NULL AND p.jslid IS NOT NULL AS lasting
  FROM pgagent.pga_joblog l
  JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
  LEFT JOIN pgagent_py.run p ON p.jlgid = l.jlgid
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
        raise invalid("run", "run is missing", "Give a jlgid of the view pgagent_py.visible_run.")
    # The lock makes it wait for a launcher's turn to end, and keeps another from booking this run's end meanwhile.
    LOCK_JOB_OF_RUN(plpy, run)
    rows = FIND_RUN(plpy, run)
    if not rows:
        raise missing("run", run)
    found = rows[0]
    if found["jlgstatus"] != RUNNING:
        raise PgAgentError(f"run {run} is not in progress", hint="It has ended already.", sqlstate="55000")
    if not found["alive"] and not found["lasting"]:
        abort_runs(plpy, found["pids"], [RunId(found["jobid"], run)], cancelled_by(caller))
        return
    if found["alive"] and not found["ours"]:
        raise PgAgentError(
            f"run {run} is executed by pgAgent's own daemon, which takes no such order",
            hint="Look for its step in pg_stat_activity, or stop the daemon.",
            sqlstate="55000",
        )
    MARK_CANCELLED(plpy, run, caller)
    if found["executing"]:
        wake(plpy, "cancel")
    else:  # it waits for its next step: that needs no launcher to end
        note_runs(plpy, {run: cancelled_by(caller)})
        finish_jobs(plpy, found["pids"], [Ended(found["jobid"], run, ABORTED)])
        wake(plpy)


class CancelledRow(TypedDict):
    """A run that is to be ended, with the step that it is at, and the role that wants it, or the windows that have closed."""

    jlgid: int
    jobid: int
    jstid: int
    jlgcancelledby: str | None
    stopped_by: str | None


# Nothing but these tells of a job that was released or dropped by hand: its step would go on without it.
CANCELLED_RUNS = Statement(
    f"""
SELECT p.jlgid, p.jobid, p.jstid, o.jlgcancelledby, p.stopped_by
  FROM pgagent_py.agent a
  JOIN pgagent_py.run p ON p.agent = ANY (ARRAY[a.agent])
  LEFT JOIN pgagent_py.run_option o ON o.jlgid = ANY (ARRAY[p.jlgid])
 WHERE {THIS_BACKEND}
   AND (o.jlgcancelledby IS NOT NULL OR p.stopped_by IS NOT NULL
        OR p.engine IS NOT NULL AND p.jslid IS NOT NULL AND NOT EXISTS (
           SELECT FROM pgagent.pga_job j
            WHERE j.jobid = ANY (ARRAY[p.jobid]) AND j.joblastrun = p.claimed
              AND j.jobagentid IN (SELECT w.jagpid FROM pgagent_py.own_jagpid w)))""",
    row=CancelledRow,
)
RELEASED = "The job was released, or dropped, while it ran."


def cancelled_runs(plpy: Plpy) -> list[tuple[int, str]]:
    """Return the runs of this backend's agent that are to be ended, with what their log is to say."""
    return [(row["jlgid"], _why(row)) for row in CANCELLED_RUNS(plpy)]


def _why(row: CancelledRow) -> str:
    if row["jlgcancelledby"]:
        return cancelled_by(row["jlgcancelledby"])
    return stopped_at(row["stopped_by"], row["jobid"], row["jstid"]) if row["stopped_by"] else RELEASED
