"""Runs: the one place where they end, and how they are cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run
from ..ground.roles import missing
from ..rules.next_run import read_rules

Ended = tuple[int, int, str]  # jobid, jlgid, jlgstatus

# Released as pgAgent does it; the trigger pga_job_next_run finds the next run. Only a "run now" of while it ran is kept: then
# jobnextrun is later than the claim. A run that began before the claim is not the one that the job is claimed for: somebody has
# released it by hand. Returned are the few jobs whose options have a say at the end of a run.
FINISH_JOBS = """
WITH ended AS (
    UPDATE pgagent.pga_joblog l
       SET jlgstatus = r.jlgstatus, jlgduration = greatest(clock_timestamp() - l.jlgstart, interval '0')
      FROM unnest($1, $2) r (jlgid, jlgstatus) WHERE l.jlgid = r.jlgid AND l.jlgstatus = 'r'),
released AS (
    UPDATE pgagent.pga_job j
       SET jobagentid = NULL,
           jobnextrun = CASE WHEN j.jobnextrun > j.joblastrun AND j.jobnextrun <= clock_timestamp() THEN j.jobnextrun END
      FROM unnest($1, $3) r (jlgid, jobid) JOIN pgagent.pga_joblog l ON l.jlgid = r.jlgid
     WHERE j.jobid = r.jobid AND l.jlgstart >= j.joblastrun
       AND j.jobagentid = ANY ($4 || ARRAY(SELECT w.jagpid FROM pgagent_py.own_jagpid w WHERE pg_backend_pid() = ANY ($4)))
    RETURNING j.jobid)
SELECT o.jobid, o.jobmaxfailures IS NOT NULL AS counts, o.jobdeleteonsuccess
  FROM released
  JOIN pgagent_py.job_option o ON o.jobid = released.jobid
 WHERE o.jobmaxfailures IS NOT NULL OR o.jobdeleteonsuccess
"""

# The note is the last thing in the output of the step that came last: there pgAdmin shows it, too.
NOTE_RUNS = """
UPDATE pgagent.pga_jobsteplog s
   SET jsloutput = concat_ws(E'\\n', nullif(rtrim(s.jsloutput, E'\\n'), ''), n.note)
  FROM unnest($1, $2) n (jlgid, note)
 WHERE s.jslid = (SELECT max(l.jslid) FROM pgagent.pga_jobsteplog l WHERE l.jsljlgid = n.jlgid)
"""

COUNT_FAILURES = """
UPDATE pgagent_py.job_option o SET jobfailures = CASE e.jlgstatus WHEN 'f' THEN o.jobfailures + 1 ELSE 0 END
  FROM unnest($1, $2) e (jobid, jlgstatus) WHERE o.jobid = e.jobid
RETURNING o.jobid, o.jobfailures, o.jobfailures >= o.jobmaxfailures AS too_many
"""

DISABLE_JOBS = """
WITH counted AS (UPDATE pgagent_py.job_option o SET jobfailures = 0, jobdone = $2 WHERE o.jobid = ANY ($1))
UPDATE pgagent.pga_job j SET jobenabled = false WHERE j.jobid = ANY ($1)
"""

# A job that a session has locked, or a step of it, waits for a later turn: a DELETE would wait here. So does one whose success
# has met a condition of another job, until that starts: the condition would go with it.
DROP_DONE_JOBS = """
WITH done AS MATERIALIZED (
    SELECT j.jobid FROM pgagent_py.job_option o JOIN pgagent.pga_job j ON j.jobid = o.jobid
     WHERE o.jobdone AND j.jobagentid IS NULL
       AND NOT EXISTS (SELECT FROM pgagent_py.job_dependency d
                         JOIN pgagent_py.dependency_met m ON m.jobid = d.jobid AND m.jobafter = d.jobafter
                        WHERE d.jobafter = o.jobid)
       FOR UPDATE OF j SKIP LOCKED),
step AS MATERIALIZED (
    SELECT s.jstid, s.jstjobid FROM pgagent.pga_jobstep s WHERE s.jstjobid IN (SELECT done.jobid FROM done)
       FOR UPDATE SKIP LOCKED)
DELETE FROM pgagent.pga_job j USING done
 WHERE j.jobid = done.jobid
   AND (SELECT count(*) FROM step WHERE step.jstjobid = j.jobid)
     = (SELECT count(*) FROM pgagent.pga_jobstep s WHERE s.jstjobid = j.jobid)
"""


def finish_jobs(plpy: Any, pids: Sequence[int], ended: Sequence[Ended]) -> None:
    """End the runs (jobid, jlgid, status) of these agents; release their jobs with the next run that their schedules give."""
    if not ended:
        return
    jobids, jlgids, statuses = (list(column) for column in zip(*ended, strict=True))
    read_rules(plpy, jobids)
    rows = run(
        plpy, FINISH_JOBS, ["int4[]", "text[]", "int4[]", "int4[]"], [jlgids, statuses, jobids, list(pids)]
    )
    if rows:
        _apply_options(plpy, {jobid: (jlgid, status) for jobid, jlgid, status in ended}, rows)


def _apply_options(
    plpy: Any, ended: Mapping[int, tuple[int, str]], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Count failures in a row, disable what fails too often, delete what was to succeed once.

    What was cancelled or had no steps is neither a success nor a failure.
    """
    counted = [row["jobid"] for row in rows if row["counts"] and ended[row["jobid"]][1] in "sf"]
    if counted:
        statuses = [ended[jobid][1] for jobid in counted]
        failing = {
            row["jobid"]: row["jobfailures"]
            for row in run(plpy, COUNT_FAILURES, ["int4[]", "text[]"], [counted, statuses])
            if row["too_many"]
        }
        if failing:
            run(plpy, DISABLE_JOBS, ["int4[]", "bool"], [list(failing), False])
            note = "The job was disabled: {} runs in a row have failed."
            note_runs(plpy, {ended[jobid][0]: note.format(count) for jobid, count in failing.items()})
    done = [row["jobid"] for row in rows if row["jobdeleteonsuccess"] and ended[row["jobid"]][1] == "s"]
    if done:
        run(plpy, DISABLE_JOBS, ["int4[]", "bool"], [done, True])
        drop_done_jobs(plpy)


def drop_done_jobs(plpy: Any) -> None:
    """Delete the jobs that were to succeed once and have, unless a session has them locked."""
    run(plpy, DROP_DONE_JOBS)


def note_runs(plpy: Any, notes: Mapping[int, str]) -> None:
    """Append to the log of each run (jlgid) what there is to say about it."""
    if notes:
        run(plpy, NOTE_RUNS, ["int4[]", "text[]"], [list(notes), list(notes.values())])


ABORT_STEPS = """
WITH open AS MATERIALIZED (
    SELECT l.jlgid, l.jlgjobid FROM pgagent.pga_joblog l WHERE l.jlgjobid = ANY ($1) AND l.jlgstatus = 'r'),
waited AS (DELETE FROM pgagent_py.waiting_run w USING open WHERE w.jlgid = open.jlgid RETURNING w.*),
booked AS (
    UPDATE pgagent.pga_jobsteplog s
       SET jslstatus = CASE WHEN waited.jslstatus = 'f' THEN t.jstonerror ELSE waited.jslstatus::bpchar END,
           jslresult = waited.jslresult, jslduration = waited.jslduration, jsloutput = waited.jsloutput
      FROM waited, pgagent.pga_jobstep t WHERE s.jslid = waited.jslid AND t.jstid = s.jsljstid AND s.jslstatus = 'r'),
aborted AS (
    UPDATE pgagent.pga_jobsteplog s
       SET jslstatus = 'd', jslduration = greatest(clock_timestamp() - s.jslstart, interval '0'),
           jsloutput = concat_ws(E'\\n', nullif(rtrim(s.jsloutput, E'\\n'), ''), $2)
      FROM open WHERE s.jsljlgid = open.jlgid AND s.jslstatus = 'r'
       AND s.jslid NOT IN (SELECT waited.jslid FROM waited WHERE waited.jslid IS NOT NULL))
SELECT open.jlgid, open.jlgjobid FROM open
"""


def abort_runs(plpy: Any, pids: Sequence[int], jobids: Sequence[int], note: str) -> None:
    """Close the open runs of these jobs, and their steps, as aborted, and release what is claimed for these agents.

    For runs that nobody executes any more. The caller has the jobs locked; *note* goes to the output of the open steps.
    """
    rows = run(plpy, ABORT_STEPS, ["int4[]", "text"], [list(jobids), note])
    finish_jobs(plpy, pids, [(row["jlgjobid"], row["jlgid"], "d") for row in rows])
    # An agent can be gone between its claim and its log entry: the C++ daemon writes them one after the other.
    release = """
        UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL WHERE jobid = ANY ($1) AND jobagentid = ANY ($2)"""
    run(plpy, release, ["int4[]", "int4[]"], [list(jobids), list(pids)])
    wake(plpy)


def wake(plpy: Any) -> None:
    """Let the launchers look again at what may start: a job was released outside their turns, a limit or pause changed."""
    run(plpy, "SELECT pg_notify('pgagent_py', '')")


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

# One that waits for a next step, not for its result to be booked: no launcher is needed to end it.
FORGET_WAITING = (
    "DELETE FROM pgagent_py.waiting_run w WHERE w.jlgid = $1 AND w.jslid IS NULL RETURNING w.jlgid"
)


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
