"""The end of runs, the one place where they end, and what depends on how they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import ABORTED, FAILURE, NOTE_SUCCESS, SUCCESS
from .backfill import end_run
from .news import note_ended
from .next_of_jobs import next_of_jobs
from .rows import Ended, RunId
from .wake import wake


class OptionRow(TypedDict):
    """A released job whose options have a say at the end of a run."""

    jobid: int
    counts: bool
    jobdeleteonsuccess: bool
    bflid: int | None  # the backfill that the run is for


# As pgAgent releases jobs. {next} is the next run, NULL where the trigger pga_job_next_run finds it. But a "run now" from while
# it ran is kept: then jobnextrun is later than the claim.
RELEASED = """jobagentid = NULL, jobnextrun = CASE WHEN j.jobnextrun > j.joblastrun AND j.jobnextrun <= clock_timestamp()
                                                  THEN j.jobnextrun ELSE {next} END"""

# $3 pids of the agents.
CLAIMED = """
       j.jobagentid = ANY ($3 || ARRAY(SELECT w.jagpid FROM pgagent_py.own_jagpid w WHERE pg_backend_pid() = ANY ($3)))"""

# Of the released jobs, those whose options have a say, and those of backfills: most are neither.
WITH_OPTIONS = """
SELECT o.jobid, o.jobmaxfailures IS NOT NULL AS counts, o.jobdeleteonsuccess, NULL::int4 AS bflid
  FROM released
  JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[released.jobid])
 WHERE o.jobmaxfailures IS NOT NULL OR o.jobdeleteonsuccess
 UNION ALL
SELECT b.jobid, false, false, b.bflid
  FROM released JOIN pgagent_py.backfill b ON b.jobid = ANY (ARRAY[released.jobid]) WHERE b.bflrun IS NOT NULL"""

# $1 jlgids, $2 statuses, $4 next runs.
FINISH_JOBS = Statement(
    f"""
WITH ended AS (
    UPDATE pgagent.pga_joblog l
       SET jlgstatus = r.jlgstatus, jlgduration = greatest(clock_timestamp() - l.jlgstart, interval '0')
      FROM unnest($1, $2) r (jlgid, jlgstatus) WHERE l.jlgid = ANY (ARRAY[r.jlgid]) AND l.jlgstatus = 'r'
    RETURNING l.jlgid, l.jlgjobid, l.jlgstatus),
succeeded AS (
    INSERT INTO pgagent_py.job_due AS d (jobid, jobdue)
    SELECT DISTINCT ON (e.jlgjobid) e.jlgjobid, o.jlgdue
      FROM ended e JOIN pgagent_py.run_origin o ON o.jlgid = ANY (ARRAY[e.jlgid])
     WHERE e.jlgstatus = 's' AND o.jlgtrigger <> 'n' ORDER BY e.jlgjobid, e.jlgid DESC {NOTE_SUCCESS}),
gone AS (
    DELETE FROM pgagent_py.run p USING unnest($1, $4) r (jlgid, next) WHERE p.jlgid = ANY (ARRAY[r.jlgid])
    RETURNING p.jobid, p.claimed, r.next),
-- a job that is claimed for another run by now is left: a user has released it by hand
released AS (
    UPDATE pgagent.pga_job j SET {RELEASED.format(next="gone.next")}
      FROM gone WHERE j.jobid = ANY (ARRAY[gone.jobid]) AND j.joblastrun = gone.claimed AND {CLAIMED}
    RETURNING j.jobid)
{WITH_OPTIONS}""",
    "int4[]",
    "text[]",
    "int4[]",
    "timestamptz[]",
    row=OptionRow,
)

# $1 jlgids, $2 jobids: runs that have no row in run. They had no steps, or are the daemon's.
RELEASE_BY_LOG = Statement(
    f"""
WITH released AS (
    UPDATE pgagent.pga_job j SET {RELEASED.format(next="NULL")}
      FROM unnest($1, $2) r (jlgid, jobid) JOIN pgagent.pga_joblog l ON l.jlgid = ANY (ARRAY[r.jlgid])
     WHERE j.jobid = ANY (ARRAY[r.jobid]) AND l.jlgstart >= j.joblastrun AND {CLAIMED}
    RETURNING j.jobid)
{WITH_OPTIONS}""",
    "int4[]",
    "int4[]",
    "int4[]",
    row=OptionRow,
)


def finish_jobs(plpy: Plpy, pids: Sequence[int], ended: Sequence[Ended], *, by_log: bool = False) -> None:
    """End these runs of these agents; release their jobs with the next run that their schedules give.

    *by_log*: some of them may have no row in run.
    """
    if not ended:
        return
    note_ended(ended)
    jobids, jlgids = [run.jobid for run in ended], [run.jlgid for run in ended]
    next_runs = next_of_jobs(plpy, jobids)
    rows = list(
        FINISH_JOBS(
            plpy, jlgids, [run.status for run in ended], pids, [next_runs.get(jobid) for jobid in jobids]
        )
    )
    if by_log:
        rows += RELEASE_BY_LOG(plpy, jlgids, jobids, pids)
    if rows:
        runs = {run.jobid: run for run in ended}
        for row in rows:
            if row["bflid"] is not None:
                end_run(plpy, row["bflid"], runs[row["jobid"]])
        _count_failures(plpy, [runs[row["jobid"]] for row in rows if row["counts"]])
        done = [row["jobid"] for row in rows if row["jobdeleteonsuccess"]]
        _delete_jobs(plpy, [jobid for jobid in done if runs[jobid].status == SUCCESS])


COUNT_FAILURES = Statement(
    """
UPDATE pgagent_py.job_option o SET jobfailures = CASE e.jlgstatus WHEN 'f' THEN o.jobfailures + 1 ELSE 0 END
  FROM unnest($1, $2) e (jobid, jlgstatus) WHERE o.jobid = ANY (ARRAY[e.jobid])
RETURNING o.jobid, o.jobfailures, o.jobfailures >= o.jobmaxfailures AS too_many""",
    "int4[]",
    "text[]",
)


def _count_failures(plpy: Plpy, ended: Sequence[Ended]) -> None:
    """Count the failures in a row of these jobs, and disable those that fail too often.

    A run that was cancelled or had no steps is neither a success nor a failure.
    """
    counted = {run.jobid: run for run in ended if run.status in (SUCCESS, FAILURE)}
    if not counted:
        return
    rows = COUNT_FAILURES(plpy, list(counted), [run.status for run in counted.values()])
    failing = {row["jobid"]: row["jobfailures"] for row in rows if row["too_many"]}
    if failing:
        _disable_jobs(plpy, list(failing), done=False)
        note = "The job was disabled: {} runs in a row have failed."
        note_runs(plpy, {counted[jobid].jlgid: note.format(count) for jobid, count in failing.items()})


def _delete_jobs(plpy: Plpy, jobids: Sequence[int]) -> None:
    """Delete these jobs, which were to succeed once, as soon as no session has them locked."""
    if jobids:
        _disable_jobs(plpy, jobids, done=True)
        drop_done_jobs(plpy)


# $2 whether they are to be deleted.
DISABLE_JOBS = Statement(
    """
WITH counted AS (UPDATE pgagent_py.job_option o SET jobfailures = 0, jobdone = $2 WHERE o.jobid = ANY ($1))
UPDATE pgagent.pga_job j SET jobenabled = false WHERE j.jobid = ANY ($1)""",
    "int4[]",
    "bool",
)


def _disable_jobs(plpy: Plpy, jobids: Sequence[int], *, done: bool) -> None:
    DISABLE_JOBS(plpy, jobids, done)


# A DELETE would wait for a session's lock, so a job that is locked waits for a later turn.
DROP_DONE_JOBS = Statement("""
-- a job whose success has met a condition of another job waits until that one starts: the condition would go with it
WITH done AS MATERIALIZED (
    SELECT j.jobid FROM pgagent_py.job_option o JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[o.jobid])
     WHERE o.jobdone AND j.jobagentid IS NULL
       AND NOT EXISTS (SELECT FROM pgagent_py.job_dependency d
                         JOIN pgagent_py.dependency_met m ON m.jobid = ANY (ARRAY[d.jobid]) AND m.jobafter = d.jobafter
                        WHERE d.jobafter = ANY (ARRAY[o.jobid]))
       FOR UPDATE OF j SKIP LOCKED),
-- its steps go with it: all of them must be free
step AS MATERIALIZED (
    SELECT s.jstid, s.jstjobid FROM pgagent.pga_jobstep s WHERE s.jstjobid = ANY (ARRAY(SELECT done.jobid FROM done))
       FOR UPDATE SKIP LOCKED)
DELETE FROM pgagent.pga_job j USING done
 WHERE j.jobid = ANY (ARRAY[done.jobid])
   AND (SELECT count(*) FROM step WHERE step.jstjobid = j.jobid)
     = (SELECT count(*) FROM pgagent.pga_jobstep s WHERE s.jstjobid = j.jobid)""")


def drop_done_jobs(plpy: Plpy) -> None:
    """Delete the jobs that were to succeed once and have, unless a session has them locked."""
    DROP_DONE_JOBS(plpy)


# The note is the last thing in the output of the step that came last: pgAdmin shows it there. A row that a session has locked
# goes without.
NOTE_RUNS = Statement(
    r"""
UPDATE pgagent.pga_jobsteplog s
   SET jsloutput = concat_ws(E'\n', nullif(rtrim(s.jsloutput, E'\n'), ''), n.note)
  FROM unnest($1, $2) n (jlgid, note)
 CROSS JOIN LATERAL (
       SELECT l.jslid FROM pgagent.pga_jobsteplog l
        WHERE l.jslid = (SELECT m.jslid FROM pgagent.pga_jobsteplog m WHERE m.jsljlgid = n.jlgid
                          ORDER BY m.jslid + 0 DESC LIMIT 1)
          FOR NO KEY UPDATE SKIP LOCKED) l
 WHERE s.jslid = ANY (ARRAY[l.jslid])""",
    "int4[]",
    "text[]",
)


def note_runs(plpy: Plpy, notes: Mapping[int, str]) -> None:
    """Append to the log of each run (jlgid) the note on it."""
    if notes:
        NOTE_RUNS(plpy, list(notes), list(notes.values()))


# $1 jlgids, $2 note.
ABORT_STEPS = Statement(
    r"""
-- results that could not be booked yet
WITH waited AS (DELETE FROM pgagent_py.waiting_result w WHERE w.jlgid = ANY ($1) RETURNING w.*),
booked AS (
    UPDATE pgagent.pga_jobsteplog s
       SET jslstatus = CASE WHEN waited.jslstatus = 'f' THEN t.jstonerror ELSE waited.jslstatus::bpchar END,
           jslresult = waited.jslresult, jslduration = waited.jslduration, jsloutput = waited.jsloutput
      FROM waited, pgagent.pga_jobstep t
     WHERE s.jslid = ANY (ARRAY[waited.jslid]) AND t.jstid = ANY (ARRAY[s.jsljstid]) AND s.jslstatus = 'r')
-- the steps in progress without a result
UPDATE pgagent.pga_jobsteplog s
   SET jslstatus = 'd', jslduration = greatest(clock_timestamp() - s.jslstart, interval '0'),
       jsloutput = concat_ws(E'\n', nullif(rtrim(s.jsloutput, E'\n'), ''), $2)
 WHERE s.jsljlgid = ANY ($1) AND s.jslstatus = 'r' AND s.jslid NOT IN (SELECT waited.jslid FROM waited)""",
    "int4[]",
    "text",
)


def abort_runs(plpy: Plpy, pids: Sequence[int], runs: Sequence[RunId], note: str) -> None:
    """Close these runs, and their open steps, as aborted, and release the jobs that these agents have claimed for them.

    For runs that no agent executes any more. The caller has them locked; *note* goes to the output of the open steps.
    """
    ABORT_STEPS(plpy, [run.jlgid for run in runs], note)
    finish_jobs(plpy, pids, [Ended(run.jobid, run.jlgid, ABORTED) for run in runs], by_log=True)
    wake(plpy)
