"""The end of runs, the one place where they end, and what depends on how they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..ground.plan import run
from ..rules.next_run import read_rules
from .wake import wake

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


COUNT_FAILURES = """
UPDATE pgagent_py.job_option o SET jobfailures = CASE e.jlgstatus WHEN 'f' THEN o.jobfailures + 1 ELSE 0 END
  FROM unnest($1, $2) e (jobid, jlgstatus) WHERE o.jobid = e.jobid
RETURNING o.jobid, o.jobfailures, o.jobfailures >= o.jobmaxfailures AS too_many
"""

DISABLE_JOBS = """
WITH counted AS (UPDATE pgagent_py.job_option o SET jobfailures = 0, jobdone = $2 WHERE o.jobid = ANY ($1))
UPDATE pgagent.pga_job j SET jobenabled = false WHERE j.jobid = ANY ($1)
"""


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


def drop_done_jobs(plpy: Any) -> None:
    """Delete the jobs that were to succeed once and have, unless a session has them locked."""
    run(plpy, DROP_DONE_JOBS)


# The note is the last thing in the output of the step that came last: there pgAdmin shows it, too.
NOTE_RUNS = """
UPDATE pgagent.pga_jobsteplog s
   SET jsloutput = concat_ws(E'\\n', nullif(rtrim(s.jsloutput, E'\\n'), ''), n.note)
  FROM unnest($1, $2) n (jlgid, note)
 WHERE s.jslid = (SELECT max(l.jslid) FROM pgagent.pga_jobsteplog l WHERE l.jsljlgid = n.jlgid)
"""


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
