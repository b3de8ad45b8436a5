"""Jobs: the due ones are claimed, their runs carried on and finished. run_due is one turn of a launcher's loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .agents import fail_orphans
from .plan import run
from .steps import STEP_RUN, StepRow, defer, finish_steps, start_steps, take_waiting

# Claiming as pgAgent does it, for many jobs in one statement; what another session holds a lock on is left for a later turn.
# {only} narrows the jobs down.
CLAIM_DUE_JOBS = """
WITH due AS MATERIALIZED (
    SELECT j.jobid, j.jobnextrun FROM pgagent.pga_job j
     WHERE j.jobenabled AND j.jobagentid IS NULL AND j.jobnextrun <= now() AND j.jobhostagent IN ('', $2) {only}
     ORDER BY j.jobnextrun LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED),
first AS MATERIALIZED (
    SELECT due.jobid, due.jobnextrun, n.jstid FROM due
      LEFT JOIN LATERAL (
        SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstjobid = due.jobid AND s.jstenabled
         ORDER BY s.jstname, s.jstid LIMIT 1) n ON true),
free AS MATERIALIZED (
    SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstid IN (SELECT first.jstid FROM first)
       FOR KEY SHARE SKIP LOCKED),
claimed AS (
    UPDATE pgagent.pga_job j SET jobagentid = $1, joblastrun = now() FROM first
     WHERE j.jobid = first.jobid AND (first.jstid IS NULL OR first.jstid IN (SELECT free.jstid FROM free))
    RETURNING j.jobid, j.jobname, first.jstid, first.jobnextrun),
r AS (
    INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart)
    SELECT claimed.jobid, 'r', clock_timestamp() FROM claimed ORDER BY claimed.jobnextrun
    RETURNING jlgid, jlgjobid),
l AS (
    INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslstart)
    SELECT r.jlgid, j.jstid, 'r', clock_timestamp() FROM r JOIN claimed j ON j.jobid = r.jlgjobid
     WHERE j.jstid IS NOT NULL ORDER BY j.jobnextrun
    RETURNING jslid, jsljlgid)
SELECT {step_run}
  FROM claimed j
  JOIN r ON r.jlgjobid = j.jobid
  LEFT JOIN l ON l.jsljlgid = r.jlgid
  LEFT JOIN pgagent.pga_jobstep s ON s.jstid = j.jstid
  LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
 ORDER BY j.jobnextrun, j.jobid
"""

# Jobs that a session can run by itself: every enabled step is SQL in this database.
LOCAL = """AND NOT EXISTS (
    SELECT FROM pgagent.pga_jobstep o WHERE o.jstjobid = j.jobid AND o.jstenabled
       AND (o.jstkind <> 's' OR o.jstconnstr <> '' OR o.jstdbname <> current_database()))"""

CLAIM_ANY = CLAIM_DUE_JOBS.format(only="", step_run=STEP_RUN)
CLAIM_LOCAL = CLAIM_DUE_JOBS.format(only=LOCAL, step_run=STEP_RUN)

# Released as pgAgent does it; the trigger pga_job_next_run finds the next run. Only a "run now" of while it ran is kept: then
# jobnextrun is later than the claim.
FINISH_JOBS = """
WITH ended AS (
    UPDATE pgagent.pga_joblog l SET jlgstatus = r.jlgstatus, jlgduration = clock_timestamp() - l.jlgstart
      FROM unnest($1, $2) r (jlgid, jlgstatus) WHERE l.jlgid = r.jlgid AND l.jlgstatus = 'r')
UPDATE pgagent.pga_job j
   SET jobagentid = NULL,
       jobnextrun = CASE WHEN j.jobnextrun > j.joblastrun AND j.jobnextrun <= clock_timestamp() THEN j.jobnextrun END
 WHERE j.jobid = ANY ($3) AND j.jobagentid = $4
"""


def run_due(plpy: Any, capacity: int, finished: Sequence[StepRow], local: bool, claim: bool) -> list[StepRow]:
    """Book *finished*, carry their runs on, claim due jobs; return at most *capacity* steps to execute now.

    The backend is a registered agent. *local*: claim only what can run in the session itself.
    """
    fail_orphans(plpy)
    agents = run(
        plpy, "SELECT a.jagpid, a.jagstation FROM pgagent_py.agent a WHERE a.jagpid = pg_backend_pid()"
    )
    if not agents:
        plpy.error("this session is not registered as an agent", hint="Call run_due().", sqlstate="55000")
    agent = agents[0]
    pid = agent["jagpid"]
    started = carry_on(plpy, pid, [*finished, *take_waiting(plpy, pid)], capacity)
    if claim and len(started) < capacity:
        started += claim_due_jobs(plpy, agent, capacity - len(started), local)
    return started


def carry_on(plpy: Any, pid: int, finished: Sequence[StepRow], capacity: int) -> list[StepRow]:
    """Book results, finish the jobs that are at their end, start the next step of the others, *capacity* at most."""
    if not finished:
        return []
    runs = finish_steps(plpy, pid, finished)
    # A run that waited without a result (jslid NULL) has no status: it goes on.
    ended = {row["jlgid"]: end for row in runs if (end := _end_of_job(row))}
    going = [row for row in runs if row["jlgid"] not in ended]
    started, blocked, done = start_steps(plpy, going[:capacity]) if going and capacity else ([], [], [])
    ended.update(dict.fromkeys(done, "s"))
    blocked += [row["jlgid"] for row in going[capacity:]]
    if blocked:
        defer(plpy, pid, [{**EMPTY_RESULT, "jlgid": jlgid} for jlgid in blocked], blocked)
    jobids = {row["jlgid"]: row["jobid"] for row in runs}
    finish_jobs(plpy, pid, [(jobids[jlgid], jlgid, status) for jlgid, status in ended.items()])
    return started


EMPTY_RESULT = dict.fromkeys(("jlgid", "jslid", "jslstatus", "jslresult", "jslduration", "jsloutput"))


def _end_of_job(row: Mapping[str, Any]) -> str | None:
    """Return the job's status if this step was the last to run because of how it ended, else None."""
    status = row["jslstatus"] or row["reported"]  # no log row: the step was deleted while it ran
    return status if status in ("f", "d") else None


def claim_due_jobs(plpy: Any, agent: Mapping[str, Any], capacity: int, local: bool) -> list[StepRow]:
    """Claim at most *capacity* due jobs, longest due first, and return the first step of each."""
    sql = CLAIM_LOCAL if local else CLAIM_ANY
    rows = run(plpy, sql, ["int4", "text", "int4"], [agent["jagpid"], agent["jagstation"], capacity])
    empty = [(row["jobid"], row["jlgid"], "i") for row in rows if row["jslid"] is None]
    finish_jobs(plpy, agent["jagpid"], empty)
    return [row for row in rows if row["jslid"] is not None]


def finish_jobs(plpy: Any, pid: int, ended: Sequence[tuple[int, int, str]]) -> None:
    """End the runs (jobid, jlgid, status) and release their jobs with the next run that their schedules give."""
    if not ended:
        return
    jobids, jlgids, statuses = (list(column) for column in zip(*ended, strict=True))
    run(plpy, FINISH_JOBS, ["int4[]", "text[]", "int4[]", "int4"], [jlgids, statuses, jobids, pid])
