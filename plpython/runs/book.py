"""Booking: the results of steps go to the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from ..ground.errors import PgAgentError
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import may_book
from ..ground.vocabulary import FAILURE, RUNNING
from .rows import BookedRow, ResultRow
from .waiting import defer

# $1 results, $2 step log rows (jslid) of tries that are not the last.
FINISH_STEPS = Statement(
    """
-- the runs in progress whose results these are: those of this agent, and, if it may run every job, those whose job was released
-- meanwhile, even if it was claimed again; a run that another agent has claimed is that one's alone
WITH live AS MATERIALIZED (
    SELECT r.*, l.jlgjobid AS jobid, ro.jlgcancelledby, l.jlgstart + jo.jobtimeout <= clock_timestamp() AS expired,
           -- ours: this agent still holds the claim for this run
           coalesce(j.jobagentid = ANY (me.jagpids) AND l.jlgstart >= j.joblastrun, false) AS ours
      FROM unnest($1) r
     CROSS JOIN (SELECT array_agg(f.jagpid) AS jagpids, bool_or(f.jagall) AS jagall
                   FROM pgagent_py.agent f JOIN pgagent_py.own_jagpid o ON o.jagpid = f.jagpid) me
      JOIN pgagent.pga_joblog l ON l.jlgid = r.jlgid AND l.jlgstatus = 'r'
      JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
      LEFT JOIN pgagent_py.run_option ro ON ro.jlgid = l.jlgid
      LEFT JOIN pgagent_py.job_option jo ON jo.jobid = j.jobid
     WHERE j.jobagentid = ANY (me.jagpids) OR me.jagall AND (j.jobagentid IS NULL OR l.jlgstart < j.joblastrun)),
-- of these, the runs that no session has locked, neither the job nor the run's log row
mine AS MATERIALIZED (
    SELECT l.jlgid FROM live JOIN pgagent.pga_job j ON j.jobid = live.jobid JOIN pgagent.pga_joblog l ON l.jlgid = live.jlgid
       FOR NO KEY UPDATE OF j, l SKIP LOCKED),
-- the log rows of the steps, if they are still in progress and no session has them locked
open AS MATERIALIZED (
    SELECT l.jslid FROM pgagent.pga_jobsteplog l
     WHERE l.jslid IN (SELECT live.jslid FROM live) AND l.jslstatus = 'r' FOR NO KEY UPDATE SKIP LOCKED),
-- a failure counts as on_error says, unless the step is tried again or the job's time is over; a step that still runs gets its
-- output so far
booked AS (
    UPDATE pgagent.pga_jobsteplog l
       SET jslstatus = CASE WHEN live.jslstatus = 'f' AND live.expired IS NOT TRUE AND live.jslid <> ALL ($2)
                            THEN s.jstonerror ELSE live.jslstatus::bpchar END,
           jslresult = live.jslresult, jsloutput = live.jsloutput,
           jslduration = CASE WHEN live.jslstatus <> 'r'
                              THEN coalesce(live.jslduration, clock_timestamp() - l.jslstart) END
      FROM live, pgagent.pga_jobstep s
     WHERE l.jslid = live.jslid AND l.jsljlgid = live.jlgid AND l.jslid IN (SELECT open.jslid FROM open) AND s.jstid = l.jsljstid
       AND live.jlgid IN (SELECT mine.jlgid FROM mine)
    RETURNING l.jslid, l.jslstatus)
SELECT live.jlgid, live.jobid, live.jslid, live.ours, live.jslstatus AS reported,
       coalesce(booked.jslstatus, was.jslstatus)::text AS jslstatus,
       live.jlgid IN (SELECT mine.jlgid FROM mine) AND (booked.jslid IS NOT NULL OR was.jslstatus IS DISTINCT FROM 'r') AS locked,
       live.jlgcancelledby, live.expired,
       -- a result that comes again, and whose run has gone on since
       CASE WHEN booked.jslid IS NULL AND live.jslid IS NOT NULL
            THEN was.jslstatus = 'f'
              OR EXISTS (SELECT FROM pgagent.pga_jobsteplog o
                          WHERE o.jsljlgid = live.jlgid AND o.jslstatus = 'r' AND o.jslid <> live.jslid)
              OR EXISTS (SELECT FROM pgagent_py.waiting_run w WHERE w.jlgid = live.jlgid) END AS stale,
       coalesce(coalesce(booked.jslstatus, was.jslstatus) IN ('s', 'i'), false)
       AND NOT EXISTS (SELECT FROM pgagent.pga_jobstep s
                        WHERE s.jstjobid = live.jobid AND s.jstenabled AND s.jstid <> was.jsljstid) AS last
  FROM live
  LEFT JOIN booked ON booked.jslid = live.jslid
  LEFT JOIN pgagent.pga_jobsteplog was ON was.jslid = live.jslid AND was.jsljlgid = live.jlgid""",
    "pgagent_py.step_result[]",
    "int4[]",
    row=BookedRow,
)

# A user has deleted the log of runs in progress: nothing is left to book, but their jobs must not stay claimed.
RELEASE_ERASED = Statement("""
UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL
 WHERE jobid IN (
       SELECT j.jobid FROM pgagent.pga_job j
        WHERE j.jobagentid IN (SELECT o.jagpid FROM pgagent_py.own_jagpid o)
          AND NOT EXISTS (SELECT FROM pgagent.pga_joblog l WHERE l.jlgjobid = j.jobid AND l.jlgstatus = 'r')
          FOR NO KEY UPDATE SKIP LOCKED)""")


def finish_steps(
    plpy: Plpy, pid: int, finished: Sequence[ResultRow]
) -> tuple[list[BookedRow], dict[int, float]]:
    """Book step results; return a row for each run whose results are booked, and the delay, by jlgid, of steps to try again.

    Results of runs that are closed, gone or another agent's are dropped. A result that comes again, because the answer to an
    earlier call got lost, is dropped if its run has gone on. An atomic step has booked itself: that counts.
    """
    retries = _find_retries(plpy, finished)
    rows = FINISH_STEPS(plpy, finished, [row["jslid"] for row in retries])
    if {row["jlgid"] for row in finished if row["jslstatus"] != RUNNING} - {row["jlgid"] for row in rows}:
        RELEASE_ERASED(plpy)
    ended = [row for row in rows if row["reported"] != RUNNING]
    blocked = [row["jlgid"] for row in ended if not row["locked"]]
    if blocked:
        defer(plpy, pid, finished, blocked)
    booked = {row["jlgid"]: row for row in ended if row["locked"] and not row["stale"]}
    return list(booked.values()), {row["jlgid"]: row["delay"] for row in retries if row["jlgid"] in booked}


class RetryRow(TypedDict):
    """A failed try that is not the last, with the seconds until the next."""

    jslid: int
    jlgid: int
    delay: float


# The log has a row for each try, also for the one that has just failed.
RETRIES = Statement(
    """
SELECT f.jslid, f.jlgid,
       least(86400, extract(epoch FROM so.jstretrydelay) * so.jstretrybackoff ^ (tries.count - 1))::float8 AS delay
  FROM unnest($1) f
  JOIN pgagent.pga_jobsteplog l ON l.jslid = f.jslid AND l.jsljlgid = f.jlgid AND l.jslstatus = 'r'
  JOIN pgagent_py.step_option so ON so.jstid = l.jsljstid AND so.jstretries > 0
 CROSS JOIN LATERAL (
       SELECT count(*) FROM pgagent.pga_jobsteplog t WHERE t.jsljlgid = l.jsljlgid AND t.jsljstid = l.jsljstid) tries
 WHERE f.jslstatus = 'f' AND tries.count <= so.jstretries""",
    "pgagent_py.step_result[]",
    row=RetryRow,
)


def _find_retries(plpy: Plpy, finished: Sequence[ResultRow]) -> list[RetryRow]:
    """Return the results that are failed tries and not the last of their steps."""
    if any(row["jslstatus"] == FAILURE for row in finished):
        return list(RETRIES(plpy, finished))
    return []


FINISH_ATOMIC_STEP = Statement(
    """
UPDATE pgagent.pga_jobsteplog l
   SET jslstatus = 's', jslresult = $2, jsloutput = $3, jslduration = make_interval(secs => $4)
  FROM pgagent_py.step_option o
 WHERE l.jslid = $1 AND l.jslstatus = 'r' AND o.jstid = l.jsljstid AND o.jstatomic RETURNING l.jslid""",
    "int4",
    "int4",
    "text",
    "float8",
)


def finish_step(
    plpy: Plpy, caller: str, jslid: int, jslresult: int, jsloutput: str, jslduration: float
) -> None:
    """Book the success of an atomic step inside its own transaction; error if it is not in progress any more."""
    if not may_book(plpy, caller, jslid) or not FINISH_ATOMIC_STEP(
        plpy, jslid, jslresult, jsloutput, jslduration
    ):
        raise PgAgentError(
            f"step log entry {jslid} is not that of an atomic step in progress",
            hint="Its run was closed meanwhile; the step's effects are rolled back.",
            sqlstate="55000",
        )
