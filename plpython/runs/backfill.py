"""Backfills: runs of a job for the times of a span, one at a time, between the runs that its schedules give it.

A turn orders the run for the next time and claims it at once. So between two turns jobnextrun of a job is that of its
schedules, and each time has one run at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import is_passing
from ..ground.vocabulary import ABORTED, FAILURE, IDLE
from ..rules.backfill import times_between
from ..rules.next_run import read_time
from .claimable import FOR_AGENT, MET, SCOPES
from .limits import places
from .orders import NOTE_ORIGIN
from .problems import NO_PROBLEM
from .rows import AgentRow, Ended, StepRow
from .windows import NOTHING_SHUT, SHUT_TYPES, held_by_window, shut_now


class BackfillRow(TypedDict):
    """A backfill whose job could run now. Times are microseconds since 1970."""

    bflid: int
    jobid: int
    past: str
    until: str
    who: str
    parameters: str | None


# On a row b of backfill: a job that depends on its job, or on one of those, runs or is to start. Its run is for the same time. A
# second end of the job that it waits for would take the place of the first.
FOLLOWED = f"""EXISTS (
       WITH RECURSIVE follower (jobid) AS (
           SELECT d.jobid FROM pgagent_py.job_dependency d WHERE d.jobafter = ANY (ARRAY[b.jobid])
            UNION
           SELECT d.jobid FROM pgagent_py.job_dependency d JOIN follower f ON d.jobafter = ANY (ARRAY[f.jobid]))
       SELECT FROM follower f JOIN pgagent.pga_job w ON w.jobid = ANY (ARRAY[f.jobid])
        WHERE w.jobagentid IS NOT NULL OR w.jobenabled AND (
              EXISTS (SELECT FROM pgagent_py.job_origin g
                       WHERE g.jobid = ANY (ARRAY[w.jobid]) AND g.jobnextrun = w.jobnextrun AND g.jlgtrigger = 'd')
           OR EXISTS (SELECT FROM pgagent_py.dependency_met m WHERE m.jobid = ANY (ARRAY[w.jobid]))
              AND {MET.format(job="w.jobid")}))"""

# $1 full classes, $2 full groups, $3 full owners, $4 station, $5 what the agent knows, $6 how many, $7 to $10 what windows hold
# back. Of each job the oldest; jobs go round.
WAITING = {
    scope: Statement(
        f"""
SELECT b.bflid, b.jobid, pgagent_py._micros(b.bflpast)::text AS past, pgagent_py._micros(b.bfluntil)::text AS until,
       b.bflby AS who, b.bflparameters::text AS parameters
  FROM pgagent_py.backfill b JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[b.jobid])
 WHERE b.bflended IS NULL AND b.bflrun IS NULL
   AND coalesce({IDLE}, false) AND (j.jobnextrun <= now()) IS NOT TRUE AND j.joblastrun IS DISTINCT FROM now()
   AND NOT EXISTS (SELECT FROM pgagent_py.backfill e
                    WHERE e.jobid = ANY (ARRAY[b.jobid]) AND e.bflended IS NULL AND e.bflid < b.bflid)
   AND {FOR_AGENT.format(station="$4", knows="$5")} {only} AND {NO_PROBLEM} AND NOT {FOLLOWED}
   AND j.jobjclid <> ALL ($1)
   AND NOT EXISTS (SELECT FROM pgagent_py.job_option o
                    WHERE o.jobid = ANY (ARRAY[j.jobid]) AND (o.jobgroup = ANY ($2) OR o.jobownerid = ANY ($3)))
   AND NOT (SELECT {held_by_window(7)}
              FROM (SELECT) one LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[j.jobid]))
 ORDER BY b.bflclaimed NULLS FIRST, b.bflid LIMIT $6 FOR NO KEY UPDATE OF j, b SKIP LOCKED""",
        *("int4[]", "text[]", "oid[]", "text", "text[]", "int4", *SHUT_TYPES),
        row=BackfillRow,
    )
    for scope, only in SCOPES.items()
}

# Runs that have ended without a word, for example because a user has released the job.
LOST_RUNS = Statement("""
SELECT b.bflid, b.jobid, b.bflrun,
       coalesce((SELECT nullif(l.jlgstatus, 'r') FROM pgagent.pga_joblog l WHERE l.jlgid = b.bflrun), 'd') AS status
  FROM pgagent_py.backfill b JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[b.jobid])
 WHERE b.bflrun IS NOT NULL AND b.bflended IS NULL AND j.jobagentid IS NULL FOR NO KEY UPDATE OF j, b SKIP LOCKED""")

# $1 backfill, $2 the times up to this one are dealt with, $3 how many were left out, $4 whether it has ended, $5 why.
MOVE = Statement(
    """
UPDATE pgagent_py.backfill b
   SET bflpast = greatest(b.bflpast, $2), bflleft = b.bflleft + $3,
       bflended = CASE WHEN $4 THEN clock_timestamp() END, bflwhy = $5
 WHERE b.bflid = $1""",
    *("int4", "timestamptz", "int4", "bool", "text"),
)
NOTE = Statement(NOTE_ORIGIN.format("$1, now(), $2, 'f', $3"), *("int4", "timestamptz", "text"))
# It may have parameters; an older order is void.
ORDER = Statement(
    """
WITH due AS (
    UPDATE pgagent.pga_job j SET jobnextrun = now() WHERE j.jobid = $1),
void AS (
    DELETE FROM pgagent_py.run_order o WHERE o.jobid = $1 AND $2 IS NULL)
INSERT INTO pgagent_py.run_order (jobid, jobnextrun, jlgparameters) SELECT $1, now(), $2 WHERE $2 IS NOT NULL
    ON CONFLICT (jobid) DO UPDATE SET jobnextrun = excluded.jobnextrun, jstname = NULL, jstid = NULL,
       jlgparameters = excluded.jlgparameters, jstonly = false""",
    "int4",
    "jsonb",
)
# $1 backfill, $2 time, $3 run: NULL if it has ended already, since the job has no steps.
CLAIMED = Statement(
    """
UPDATE pgagent_py.backfill b
   SET bflpast = $2, bflrun = $3, bfldone = b.bfldone + ($3 IS NULL)::integer, bflclaimed = now(),
       bflschedules = pgagent_py._schedules_version(b.jobid)
  FROM pgagent.pga_job j
 WHERE b.bflid = $1 AND j.jobid = ANY (ARRAY[b.jobid]) AND j.joblastrun = now()""",
    *("int4", "timestamptz", "int4"),
)

# Where jobs have very many schedules, the others wait for the next turns.
MOST_JOBS, MOST_SECONDS = 100, 0.2


class _NotClaimedError(Exception):
    """Leave a subtransaction: the job can't be claimed now."""


def run_backfills(
    plpy: Plpy, agent: AgentRow, scope: str, most: int, claim: Callable[[int], Sequence[StepRow]]
) -> None:
    """Claim the next run of *most* backfills whose jobs have nothing else to do now; *claim* claims a due job.

    One that makes the server fail is stopped.
    """
    free = places(plpy)
    if free.everything_paused or most <= 0:
        return
    for lost in LOST_RUNS(plpy):
        end_run(plpy, lost["bflid"], Ended(lost["jobid"], lost["bflrun"], lost["status"]))
    me = agent["jagstation"], agent["jagknows"], min(most, MOST_JOBS)
    shut = shut_now(plpy)[0] if agent["windowed"] else NOTHING_SHUT
    until = time.monotonic() + MOST_SECONDS
    for row in WAITING[scope](plpy, *free.full(), *me, *shut):
        if time.monotonic() > until:
            break
        agent["parametrised"] = agent["parametrised"] or row["parameters"] is not None
        try:
            with plpy.subtransaction():
                _run_next(plpy, row, claim)
        except _NotClaimedError:
            continue
        except Exception as error:
            if is_passing(plpy, error):
                raise
            MOVE(plpy, row["bflid"], None, 0, True, str(error)[:1000])


def _run_next(plpy: Plpy, row: BackfillRow, claim: Callable[[int], Sequence[StepRow]]) -> None:
    past, due, left = _next_time(plpy, row)
    MOVE(plpy, row["bflid"], past and read_time(past), left, due is None and past is None, None)
    if due is None:
        return
    at = read_time(due)
    NOTE(plpy, row["jobid"], at, row["who"])
    ORDER(plpy, row["jobid"], row["parameters"])
    runs = [step["jlgid"] for step in claim(row["jobid"])]
    if not CLAIMED(plpy, row["bflid"], at, runs[0] if runs else None).nrows():
        raise _NotClaimedError


# Which of the times $2 have a successful run of the job $1, from 1.
SUCCEEDED = Statement(
    """
SELECT t.place::integer AS place FROM unnest($2) WITH ORDINALITY t (at, place)
 WHERE EXISTS (SELECT FROM pgagent_py.run_origin o JOIN pgagent.pga_joblog l ON l.jlgid = ANY (ARRAY[o.jlgid])
                WHERE o.jlgdue = ANY (ARRAY[t.at]) AND l.jlgjobid = $1 AND l.jlgstatus = 's')""",
    "int4",
    "timestamptz[]",
)
# So many times are looked at together, and in one turn.
PAGES = (1, 10, 100, 1000, 1000, 1000)


def _next_time(plpy: Plpy, row: BackfillRow) -> tuple[str | None, str | None, int]:
    """Return the time before which all is dealt with, the next time without a successful run, and how many were left out.

    Without the second, the first says how far it was looked; None means that there is none.
    """
    past, left = row["past"], 0
    for most in PAGES:
        times = times_between(plpy, row["jobid"], past, row["until"], most)
        succeeded = {
            found["place"] for found in SUCCEEDED(plpy, row["jobid"], [read_time(at) for at in times])
        }
        for place, at in enumerate(times, 1):
            if place not in succeeded:
                return None, at, left + place - 1
        left += len(times)
        if len(times) < most:
            return None, None, left
        past = times[-1]
    return past, None, left


# $1 backfill, $2 run, $3 whether it has failed.
END_RUN = Statement(
    """
UPDATE pgagent_py.backfill b
   SET bflrun = NULL, bfldone = b.bfldone + 1, bflfailed = b.bflfailed + $3::integer,
       bflended = CASE WHEN b.bflstop AND $3 THEN coalesce(b.bflended, clock_timestamp()) ELSE b.bflended END,
       bflwhy = CASE WHEN b.bflstop AND $3 THEN coalesce(b.bflwhy, format('run %s has failed', b.bflrun)) ELSE b.bflwhy END
 WHERE b.bflid = $1 AND b.bflrun = $2""",
    *("int4", "int4", "bool"),
)
# A time of the schedules that has passed since the claim. Where all times are owed, the release has seen to it.
PASSED = Statement(
    f"""
SELECT j.jobid, n.at
  FROM pgagent_py.backfill b
  JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[b.jobid])
  LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[b.jobid])
 CROSS JOIN LATERAL (
       SELECT min(pgagent_py._firing_after(v.jscid, v.s_ctid, v.s_xmin, v.s_cmin, v.options, v.default_zone, v.exceptions, NULL,
                                     extract(epoch FROM b.bflclaimed)::float8)) AS at
         FROM pgagent_py.schedule_version v WHERE v.jscjobid = b.jobid AND v.jscenabled) n
 WHERE b.bflid = $1 AND {IDLE} AND (j.jobnextrun <= clock_timestamp()) IS NOT TRUE AND o.jobcatchup IS DISTINCT FROM 'all'
   AND b.bflschedules = pgagent_py._schedules_version(b.jobid) AND n.at <= extract(epoch FROM clock_timestamp()) * 1000000""",
    "int4",
)
NOTE_PASSED = Statement(NOTE_ORIGIN.format("$1, $2, NULL, 's', NULL"), "int4", "timestamptz")
SET_PASSED = Statement(
    "UPDATE pgagent.pga_job j SET jobnextrun = $2 WHERE j.jobid = $1", "int4", "timestamptz"
)


def end_run(plpy: Plpy, bflid: int, run: Ended) -> None:
    """Note the end of a backfill's run. A time of the schedules that has passed meanwhile is the job's next one."""
    END_RUN(plpy, bflid, run.jlgid, run.status in (FAILURE, ABORTED))
    for row in PASSED(plpy, bflid):
        at = read_time(str(row["at"]))
        NOTE_PASSED(plpy, row["jobid"], at)
        SET_PASSED(plpy, row["jobid"], at)
