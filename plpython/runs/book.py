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

# $1 results, $2 agent, $3 what the log says of an atomic step whose commit was lost. All of a result is in one row of live, for
# joins between CTEs would cost more than look-ups.
FINISH_STEPS = Statement(
    r"""
-- the runs of this agent whose results these are: a result counts for the step that the agent has now, a run that has waited
-- comes without one; an older result, and that of a run which was closed, is dropped
WITH live AS MATERIALIZED (
    SELECT r.*, p.jobid, p.jstid, ro.jlgcancelledby, p.stopped_by, t.status, t.delay, t.expired,
           -- how it ends in the log: a failure counts as on_error says, unless the step is tried again or the job's time is over
           CASE WHEN t.status = 'f' AND NOT t.expired AND t.delay IS NULL
                THEN coalesce(s.jstonerror, 'f') ELSE t.status END AS letter,
           p.atomic AND NOT p.booked AND r.jslstatus = 's' AS lost,
           k.jslid IS NOT NULL AS logged,
           -- erased: the run's row in the log is gone
           l.jlgid IS NULL AND NOT EXISTS (SELECT FROM pgagent.pga_joblog x WHERE x.jlgid = ANY (ARRAY[r.jlgid])) AS erased,
           -- ours: this agent still holds the claim for this run
           coalesce(j.jobagentid = ANY (ARRAY(SELECT a.jagpid FROM pgagent_py.agent a WHERE a.agent = $2))
                    AND j.joblastrun = p.claimed, false) AS ours,
           -- what no session has locked can be booked; a row that is gone locks nothing
           (j.jobid IS NOT NULL OR NOT EXISTS (SELECT FROM pgagent.pga_job x WHERE x.jobid = ANY (ARRAY[p.jobid])))
           AND (l.jlgid IS NOT NULL OR NOT EXISTS (SELECT FROM pgagent.pga_joblog x WHERE x.jlgid = ANY (ARRAY[r.jlgid])))
           AND (k.jslid IS NOT NULL OR r.jslid IS NULL
                OR NOT EXISTS (SELECT FROM pgagent.pga_jobsteplog x
                                WHERE x.jslid = ANY (ARRAY[r.jslid]) AND x.jsljlgid = r.jlgid AND x.jslstatus = 'r'))
           AND (NOT p.atomic OR a.jlgid IS NOT NULL)
           AND (o.jobid IS NOT NULL OR jo.jobmaxfailures IS NULL AND NOT coalesce(jo.jobdeleteonsuccess, false)) AS locked
      FROM unnest($1) r
      JOIN pgagent_py.run p ON p.jlgid = ANY (ARRAY[r.jlgid]) AND p.agent = $2 AND p.jslid IS NOT DISTINCT FROM r.jslid
      LEFT JOIN pgagent.pga_jobstep s ON s.jstid = ANY (ARRAY[p.jstid])
      LEFT JOIN pgagent_py.step_option so ON so.jstid = ANY (ARRAY[p.jstid])
      LEFT JOIN pgagent_py.run_option ro ON ro.jlgid = ANY (ARRAY[p.jlgid])
      LEFT JOIN pgagent_py.job_option jo ON jo.jobid = ANY (ARRAY[p.jobid])
      -- an atomic step that has committed its success has booked it; if it has not, nothing of it happened. A run without a
      -- result, whose last step is not done, waits for the next try: if that step is disabled or gone by now, it has failed.
     CROSS JOIN LATERAL (
           SELECT CASE WHEN p.booked THEN 's' WHEN p.atomic AND r.jslstatus = 's' THEN 'f'
                       WHEN r.jslid IS NULL AND p.jstid <> ALL (coalesce(p.done, '{}'))
                            AND NOT coalesce(s.jstenabled, false) THEN 'f'
                       ELSE r.jslstatus END AS status) e
     CROSS JOIN LATERAL (
           SELECT e.status, coalesce(clock_timestamp() - p.started >= jo.jobtimeout, false) AS expired,
                  CASE WHEN e.status = 'f' AND p.try <= so.jstretries AND r.jslid IS NOT NULL
                       THEN least(86400, extract(epoch FROM so.jstretrydelay) * so.jstretrybackoff ^ (p.try - 1))::float8
                       END AS delay) t
      -- the locks: the job, its options if they have a say at the end, the run's log, the step's, and the run while an atomic
      -- step may be committing
      LEFT JOIN LATERAL (
           SELECT j.jobid, j.jobagentid, j.joblastrun FROM pgagent.pga_job j WHERE j.jobid = p.jobid
              FOR NO KEY UPDATE SKIP LOCKED) j ON true
      LEFT JOIN LATERAL (
           SELECT o.jobid FROM pgagent_py.job_option o
            WHERE o.jobid = jo.jobid AND (jo.jobmaxfailures IS NOT NULL OR jo.jobdeleteonsuccess)
              FOR NO KEY UPDATE SKIP LOCKED) o ON true
      LEFT JOIN LATERAL (
           SELECT l.jlgid FROM pgagent.pga_joblog l WHERE l.jlgid = r.jlgid FOR NO KEY UPDATE SKIP LOCKED) l ON true
      LEFT JOIN LATERAL (
           SELECT k.jslid FROM pgagent.pga_jobsteplog k WHERE k.jslid = r.jslid AND k.jsljlgid = r.jlgid AND k.jslstatus = 'r'
              FOR NO KEY UPDATE SKIP LOCKED) k ON true
      LEFT JOIN LATERAL (
           SELECT a.jlgid FROM pgagent_py.run a WHERE a.jlgid = r.jlgid AND a.atomic FOR NO KEY UPDATE SKIP LOCKED) a ON true),
-- a step that still runs gets its output so far
booked AS (
    UPDATE pgagent.pga_jobsteplog l
       SET jslstatus = live.letter::bpchar, jslresult = CASE WHEN live.lost THEN -1 ELSE live.jslresult END,
           jsloutput = CASE WHEN live.lost THEN concat_ws(E'\n', nullif(rtrim(live.jsloutput, E'\n'), ''), $3)
                            ELSE live.jsloutput END,
           jslduration = CASE WHEN live.jslstatus <> 'r' THEN coalesce(live.jslduration, clock_timestamp() - l.jslstart) END
      FROM live WHERE l.jslid = ANY (ARRAY[live.jslid]) AND live.logged AND live.locked)
SELECT live.jlgid, live.jobid, live.jslid, live.jslstatus AS reported, live.letter AS jslstatus, live.delay,
       CASE WHEN live.letter IN ('s', 'i') THEN live.jstid END AS ended, live.jlgcancelledby, live.stopped_by, live.expired,
       live.locked, live.erased, live.ours,
       live.letter IN ('s', 'i')
       AND NOT EXISTS (SELECT FROM pgagent.pga_jobstep s
                        WHERE s.jstjobid = ANY (ARRAY[live.jobid]) AND s.jstenabled AND s.jstid <> live.jstid) AS last
  FROM live""",
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
    UPDATE pgagent_py.run p SET booked = true
     WHERE p.jlgid = $5 AND p.jslid = $1 AND p.atomic AND NOT p.booked
       -- a user has closed it; a row that is gone has only been pruned
       AND NOT EXISTS (SELECT FROM pgagent.pga_joblog l WHERE l.jlgid = $5 AND l.jlgstatus <> 'r')
       AND NOT EXISTS (SELECT FROM pgagent.pga_jobsteplog l WHERE l.jslid = $1 AND l.jslstatus <> 'r')
    RETURNING p.jslid),
logged AS (
    UPDATE pgagent.pga_jobsteplog l
       SET jslstatus = 's', jslresult = $2, jsloutput = $3, jslduration = make_interval(secs => $4)
      FROM noted WHERE l.jslid = ANY (ARRAY[noted.jslid]) AND l.jslstatus = 'r')
SELECT FROM noted""",
    "int4",
    "int4",
    "text",
    "float8",
    "int4",
)

RUN_OF_STEP = Statement(
    "SELECT p.jlgid, p.jobid FROM pgagent_py.run p WHERE p.jslid = $1 AND p.atomic", "int4"
)


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
