"""Booking: the results of steps go to the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ground.errors import PgAgentError
from ..ground.plan import run
from ..ground.roles import owner_may
from .hand_out import StepRow
from .waiting import defer

# A run whose job somebody has released meanwhile is not "ours" any more, even if the job was claimed again; who runs all jobs may
# still end it. A run that another agent has claimed is that one's alone.
FINISH_STEPS = """
WITH live AS MATERIALIZED (
    SELECT r.*, l.jlgjobid AS jobid, ro.jlgcancelledby, l.jlgstart + jo.jobtimeout <= clock_timestamp() AS expired,
           coalesce(j.jobagentid = ANY (me.jagpids) AND l.jlgstart >= j.joblastrun, false) AS ours
      FROM unnest($1) r
     CROSS JOIN (SELECT array_agg(f.jagpid) AS jagpids, bool_or(f.jagall) AS jagall
                   FROM pgagent_py.agent f JOIN pgagent_py.own_jagpid o ON o.jagpid = f.jagpid) me
      JOIN pgagent.pga_joblog l ON l.jlgid = r.jlgid AND l.jlgstatus = 'r'
      JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
      LEFT JOIN pgagent_py.run_option ro ON ro.jlgid = l.jlgid
      LEFT JOIN pgagent_py.job_option jo ON jo.jobid = j.jobid
     WHERE j.jobagentid = ANY (me.jagpids) OR me.jagall AND (j.jobagentid IS NULL OR l.jlgstart < j.joblastrun)),
mine AS MATERIALIZED (
    SELECT l.jlgid FROM live JOIN pgagent.pga_job j ON j.jobid = live.jobid JOIN pgagent.pga_joblog l ON l.jlgid = live.jlgid
       FOR NO KEY UPDATE OF j, l SKIP LOCKED),
open AS MATERIALIZED (
    SELECT l.jslid FROM pgagent.pga_jobsteplog l
     WHERE l.jslid IN (SELECT live.jslid FROM live) AND l.jslstatus = 'r' FOR NO KEY UPDATE SKIP LOCKED),
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
  LEFT JOIN pgagent.pga_jobsteplog was ON was.jslid = live.jslid AND was.jsljlgid = live.jlgid
"""

# Somebody has deleted the log of runs in progress: nothing is left to book, but their jobs must not stay claimed.
RELEASE_ERASED = """
UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL
 WHERE jobid IN (
       SELECT j.jobid FROM pgagent.pga_job j
        WHERE j.jobagentid IN (SELECT o.jagpid FROM pgagent_py.own_jagpid o)
          AND NOT EXISTS (SELECT FROM pgagent.pga_joblog l WHERE l.jlgjobid = j.jobid AND l.jlgstatus = 'r')
          FOR NO KEY UPDATE SKIP LOCKED)
"""

# Failed tries that are not the last, with the seconds until the next. The row of the try is in the log already.
RETRIES = """
SELECT f.jslid, f.jlgid,
       least(86400, extract(epoch FROM so.jstretrydelay) * so.jstretrybackoff ^ (tries.count - 1))::float8 AS delay
  FROM unnest($1) f
  JOIN pgagent.pga_jobsteplog l ON l.jslid = f.jslid AND l.jsljlgid = f.jlgid AND l.jslstatus = 'r'
  JOIN pgagent_py.step_option so ON so.jstid = l.jsljstid AND so.jstretries > 0
 CROSS JOIN LATERAL (
       SELECT count(*) FROM pgagent.pga_jobsteplog t WHERE t.jsljlgid = l.jsljlgid AND t.jsljstid = l.jsljstid) tries
 WHERE f.jslstatus = 'f' AND tries.count <= so.jstretries
"""


def finish_steps(plpy: Any, pid: int, finished: Sequence[StepRow]) -> tuple[list[StepRow], dict[int, float]]:
    """Book step results; return a row for each run whose results are booked, and the delay, by jlgid, of steps to try again.

    A row has jlgid, jobid, jslstatus as booked, who has cancelled the run, whether the job's time has expired, and whether
    this was the last step: true for sure if its job has no other.
    Results of runs that are closed, gone or another agent's are dropped, so are those that come again because the answer to an
    earlier call got lost, if their run has gone on. An atomic step has booked itself: that counts.
    """
    retries = []
    if any(row["jslstatus"] == "f" for row in finished):
        retries = run(plpy, RETRIES, ["pgagent_py.step_result[]"], [finished])
    types = ["pgagent_py.step_result[]", "int4[]"]
    rows = run(plpy, FINISH_STEPS, types, [finished, [row["jslid"] for row in retries]])
    if {row["jlgid"] for row in finished if row["jslstatus"] != "r"} - {row["jlgid"] for row in rows}:
        run(plpy, RELEASE_ERASED)
    blocked = [row["jlgid"] for row in rows if not row["locked"] and row["reported"] != "r"]
    if blocked:
        defer(plpy, pid, finished, blocked)
    booked = {
        row["jlgid"]: row for row in rows if row["locked"] and row["reported"] != "r" and not row["stale"]
    }
    return list(booked.values()), {row["jlgid"]: row["delay"] for row in retries if row["jlgid"] in booked}


def finish_step(
    plpy: Any, caller: str, jslid: int, jslresult: int, jsloutput: str, jslduration: float
) -> None:
    """Book the success of an atomic step inside its own transaction; error if it is not in progress any more."""
    book = """
        UPDATE pgagent.pga_jobsteplog l
           SET jslstatus = 's', jslresult = $2, jsloutput = $3, jslduration = make_interval(secs => $4)
          FROM pgagent_py.step_option o
         WHERE l.jslid = $1 AND l.jslstatus = 'r' AND o.jstid = l.jsljstid AND o.jstatomic RETURNING l.jslid"""
    if not owner_may(plpy, caller, jslid) or not run(
        plpy, book, ["int4", "int4", "text", "float8"], [jslid, jslresult, jsloutput, jslduration]
    ):
        raise PgAgentError(
            f"step log entry {jslid} is not that of an atomic step in progress",
            hint="Its run was closed meanwhile; the step's effects are rolled back.",
            sqlstate="55000",
        )
