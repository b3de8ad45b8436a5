"""Booking: the results of steps go to the log, and decide how their runs go on.

What a run has executed is known by its row in the table run. The log is written for users, and may have been pruned.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.errors import PgAgentError
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import may_book
from ..ground.vocabulary import RUNNING
from .rows import BookedRow, ResultRow
from .waiting import LOOK_AGAIN_SECONDS, defer_runs, keep_results

NOT_COMMITTED = "The step's transaction was lost with the server that was to commit it."

# $1 results, $2 agent, $3 what the log says of an atomic step whose commit was lost.
FINISH_STEPS = Statement(
    r"""
-- the runs of this agent whose results these are: a result counts for the step that the agent has now, a run that has waited
-- comes without one; an older result, and that of a run which was closed, is dropped
WITH live AS MATERIALIZED (
    SELECT r.*, p.jobid, p.jstid, p.claimed, s.jstonerror, ro.jlgcancelledby,
           coalesce(p.claimed + jo.jobtimeout <= clock_timestamp(), false) AS expired,
           -- an atomic step that has committed its success has booked it; if it has not, nothing of it happened
           CASE WHEN p.booked THEN 's' WHEN p.atomic AND r.jslstatus = 's' THEN 'f' ELSE r.jslstatus END AS status,
           p.atomic AND NOT p.booked AND r.jslstatus = 's' AS lost,
           so.jstretries, p.try,
           least(86400, extract(epoch FROM so.jstretrydelay) * so.jstretrybackoff ^ (p.try - 1))::float8 AS pause
      FROM unnest($1) r
      JOIN pgagent_py.run p ON p.jlgid = r.jlgid AND p.agent = $2 AND p.jslid IS NOT DISTINCT FROM r.jslid
      LEFT JOIN pgagent.pga_jobstep s ON s.jstid = p.jstid
      LEFT JOIN pgagent_py.step_option so ON so.jstid = p.jstid
      LEFT JOIN pgagent_py.run_option ro ON ro.jlgid = p.jlgid
      LEFT JOIN pgagent_py.job_option jo ON jo.jobid = p.jobid),
-- how they end in the log: a failure counts as on_error says, unless the step is tried again or the job's time is over
ended AS MATERIALIZED (
    SELECT live.jlgid, live.jslid, t.delay,
           CASE WHEN live.status = 'f' AND NOT live.expired AND t.delay IS NULL
                THEN coalesce(live.jstonerror, 'f') ELSE live.status END AS letter
      FROM live
     CROSS JOIN LATERAL (
           SELECT CASE WHEN live.status = 'f' AND live.try <= live.jstretries THEN live.pause END AS delay) t),
-- the rows that no session has locked: a job, its run, the run's log and the step's; the run is locked by an atomic step that
-- is being committed
job AS MATERIALIZED (
    SELECT live.jlgid, j.jobagentid, j.joblastrun FROM live
     CROSS JOIN LATERAL (
           SELECT j.jobagentid, j.joblastrun FROM pgagent.pga_job j WHERE j.jobid = live.jobid
              FOR NO KEY UPDATE SKIP LOCKED) j),
run AS MATERIALIZED (
    SELECT live.jlgid FROM live
     CROSS JOIN LATERAL (
           SELECT FROM pgagent_py.run p WHERE p.jlgid = live.jlgid FOR NO KEY UPDATE SKIP LOCKED) p),
log AS MATERIALIZED (
    SELECT live.jlgid FROM live
     CROSS JOIN LATERAL (
           SELECT FROM pgagent.pga_joblog l WHERE l.jlgid = live.jlgid FOR NO KEY UPDATE SKIP LOCKED) l),
step AS MATERIALIZED (
    SELECT live.jslid FROM live
     CROSS JOIN LATERAL (
           SELECT FROM pgagent.pga_jobsteplog l WHERE l.jslid = live.jslid AND l.jsljlgid = live.jlgid AND l.jslstatus = 'r'
              FOR NO KEY UPDATE SKIP LOCKED) l),
-- what can be booked: rows that are gone lock nothing
mine AS MATERIALIZED (
    SELECT live.jlgid, l.jlgid IS NULL AS erased
      FROM live
      JOIN run ON run.jlgid = live.jlgid
      LEFT JOIN pgagent.pga_job j ON j.jobid = live.jobid
      LEFT JOIN job ON job.jlgid = live.jlgid
      LEFT JOIN pgagent.pga_joblog l ON l.jlgid = live.jlgid
      LEFT JOIN log ON log.jlgid = live.jlgid
      LEFT JOIN pgagent.pga_jobsteplog s ON s.jslid = live.jslid AND s.jsljlgid = live.jlgid AND s.jslstatus = 'r'
      LEFT JOIN step ON step.jslid = live.jslid
     WHERE (j.jobid IS NULL OR job.jlgid IS NOT NULL) AND (l.jlgid IS NULL OR log.jlgid IS NOT NULL)
       AND (s.jslid IS NULL OR step.jslid IS NOT NULL)),
-- a step that still runs gets its output so far
booked AS (
    UPDATE pgagent.pga_jobsteplog l
       SET jslstatus = ended.letter::bpchar, jslresult = CASE WHEN live.lost THEN -1 ELSE live.jslresult END,
           jsloutput = CASE WHEN live.lost THEN concat_ws(E'\n', nullif(rtrim(live.jsloutput, E'\n'), ''), $3)
                            ELSE live.jsloutput END,
           jslduration = CASE WHEN live.jslstatus <> 'r' THEN coalesce(live.jslduration, clock_timestamp() - l.jslstart) END
      FROM step JOIN live ON live.jslid = step.jslid JOIN ended ON ended.jlgid = live.jlgid JOIN mine ON mine.jlgid = live.jlgid
     WHERE l.jslid = step.jslid)
SELECT live.jlgid, live.jobid, live.jslid, live.jslstatus AS reported, ended.letter AS jslstatus, ended.delay,
       CASE WHEN ended.letter IN ('s', 'i') THEN live.jstid END AS ended, live.jlgcancelledby, live.expired,
       mine.jlgid IS NOT NULL AS locked, coalesce(mine.erased, false) AS erased,
       -- ours: this agent still holds the claim for this run
       coalesce(job.jobagentid IN (SELECT a.jagpid FROM pgagent_py.agent a WHERE a.agent = $2)
                AND job.joblastrun = live.claimed, false) AS ours,
       ended.letter IN ('s', 'i')
       AND NOT EXISTS (SELECT FROM pgagent.pga_jobstep s
                        WHERE s.jstjobid = live.jobid AND s.jstenabled AND s.jstid <> live.jstid) IS TRUE AS last
  FROM live
  JOIN ended ON ended.jlgid = live.jlgid
  LEFT JOIN mine ON mine.jlgid = live.jlgid
  LEFT JOIN job ON job.jlgid = live.jlgid""",
    "pgagent_py.step_result[]",
    "uuid",
    "text",
    row=BookedRow,
)


def finish_steps(plpy: Plpy, agent: str, finished: Sequence[ResultRow]) -> list[BookedRow]:
    """Book step results; return a row for each run that goes on or ends with that.

    Results of runs that are closed, gone or another agent's are dropped. A result that comes again, because the answer to an
    earlier call got lost, is dropped: its run has gone on. Results of what a session has locked are kept.
    """
    rows = [row for row in FINISH_STEPS(plpy, finished, agent, NOT_COMMITTED) if row["reported"] != RUNNING]
    blocked = {row["jlgid"] for row in rows if not row["locked"]}
    if blocked:
        results = [row for row in finished if row["jlgid"] in blocked and row["jslstatus"] != RUNNING]
        keep_results(plpy, agent, [row for row in results if row["jslid"] is not None])
        waiting = [row["jlgid"] for row in results if row["jslid"] is None]
        defer_runs(plpy, {}, dict.fromkeys(waiting, LOOK_AGAIN_SECONDS))
    return [row for row in rows if row["locked"]]


FINISH_ATOMIC_STEP = Statement(
    """
WITH noted AS (
    UPDATE pgagent_py.run p SET booked = true WHERE p.jlgid = $5 AND p.jslid = $1 AND p.atomic AND NOT p.booked
    RETURNING p.jslid),
logged AS (
    UPDATE pgagent.pga_jobsteplog l
       SET jslstatus = 's', jslresult = $2, jsloutput = $3, jslduration = make_interval(secs => $4)
      FROM noted WHERE l.jslid = noted.jslid AND l.jslstatus = 'r')
SELECT FROM noted""",
    "int4",
    "int4",
    "text",
    "float8",
    "int4",
)

RUN_OF_STEP = Statement("SELECT p.jlgid, p.jobid FROM pgagent_py.run p WHERE p.jslid = $1", "int4")


def finish_step(
    plpy: Plpy, caller: str, jslid: int, jslresult: int, jsloutput: str, jslduration: float
) -> None:
    """Book the success of an atomic step inside its own transaction; error if it is not in progress any more."""
    for run in RUN_OF_STEP(plpy, jslid):
        if may_book(plpy, caller, run["jobid"]) and FINISH_ATOMIC_STEP(
            plpy, jslid, jslresult, jsloutput, jslduration, run["jlgid"]
        ):
            return
    raise PgAgentError(
        f"step log entry {jslid} is not that of an atomic step in progress",
        hint="Its run was closed meanwhile; the step's effects are rolled back.",
        sqlstate="55000",
    )
