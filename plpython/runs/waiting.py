"""Runs in progress with no step executing, and results that could not be booked yet.

A run waits for a free place, for the time of the next try, or until a session unlocks its next step: a row of run without
jslid. A result waits until a session unlocks the job or the log: a row of waiting_result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import note_problem
from ..ground.vocabulary import RUNNING
from .rows import ResultRow, result

# Seconds after which what waits is looked at again: for a place or a session's lock; for what made the server fail.
LOOK_AGAIN_SECONDS, SET_ASIDE_SECONDS = 0.2, 60.0

# $1 results, $2 agent, $3 seconds.
KEEP_RESULTS = Statement(
    """
INSERT INTO pgagent_py.waiting_result (jslid, jlgid, agent, jslstatus, jslresult, jslduration, jsloutput, not_before)
SELECT r.jslid, r.jlgid, $2, r.jslstatus, r.jslresult, r.jslduration, r.jsloutput, clock_timestamp() + make_interval(secs => $3)
  FROM unnest($1) r
    ON CONFLICT (jslid) DO NOTHING""",
    "pgagent_py.step_result[]",
    "uuid",
    "float8",
)


def keep_results(
    plpy: Plpy, agent: str, results: Sequence[ResultRow], seconds: float = LOOK_AGAIN_SECONDS
) -> None:
    """Keep these results for so many seconds, until their jobs and log rows may no longer be locked."""
    if results:
        KEEP_RESULTS(plpy, results, agent, seconds)


# $1 jlgids, $2 steps (jstid) that have ended, $3 seconds to wait. At the end of its job's time, at the latest, a run is looked
# at again.
DEFER_RUNS = Statement(
    """
UPDATE pgagent_py.run r
   SET jslid = NULL, booked = false, done = CASE WHEN w.ended IS NULL THEN r.done ELSE r.done || w.ended END,
       not_before = least(clock_timestamp() + make_interval(secs => w.seconds),
                          r.started + (SELECT least(o.jobtimeout, interval '1000 years')
                                         FROM pgagent_py.job_option o WHERE o.jobid = r.jobid)),
       waiting_since = clock_timestamp()
  FROM unnest($1, $2, $3) w (jlgid, ended, seconds) WHERE r.jlgid = ANY (ARRAY[w.jlgid])""",
    "int4[]",
    "int4[]",
    "float8[]",
)


def defer_runs(plpy: Plpy, ended: Mapping[int, int | None], seconds: Mapping[int, float]) -> None:
    """Let the runs in *seconds* (jlgid) wait for so long before their next step; *ended*: the step that each has ended."""
    if seconds:
        DEFER_RUNS(plpy, list(seconds), [ended.get(jlgid) for jlgid in seconds], list(seconds.values()))


# At the end of a run the next times of all its job's schedules are computed. A turn does so for about so many schedules, and for
# one job at least. Jobs with few are never left.
MOST_SCHEDULES, FEW_SCHEDULES = 200, 10
COUNT_SCHEDULES = Statement(
    f"""
SELECT r.jlgid, (SELECT count(*) FROM (
          SELECT FROM pgagent.pga_schedule s WHERE s.jscjobid = ANY (ARRAY[r.jobid]) LIMIT {MOST_SCHEDULES}) s) AS schedules
  FROM pgagent_py.run r
 WHERE r.jlgid = ANY ($1)
   AND EXISTS (SELECT FROM pgagent.pga_schedule s WHERE s.jscjobid = ANY (ARRAY[r.jobid]) OFFSET {FEW_SCHEDULES})""",
    "int4[]",
)


def leave_some(plpy: Plpy, agent: str, results: Sequence[ResultRow]) -> Sequence[ResultRow]:
    """Return the results to book in this turn; the others, of jobs with many schedules, are kept for the next ones."""
    if len(results) < 2:
        return results
    counts = {
        row["jlgid"]: row["schedules"] for row in COUNT_SCHEDULES(plpy, [row["jlgid"] for row in results])
    }
    if not counts:
        return results
    left, now, later = MOST_SCHEDULES, [], []
    for row in results:
        count = counts.get(row["jlgid"], 0)
        if max(left, 0) < count and row["jslid"] is not None and row["jslstatus"] != RUNNING:
            later.append(row)
        else:
            now.append(row)
            left -= count
    keep_results(plpy, agent, later, 0)
    return now


JOB_OF_RUN = Statement("SELECT r.jobid FROM pgagent_py.run r WHERE r.jlgid = $1", "int4")


def set_aside(plpy: Plpy, agent: str, row: ResultRow, error: str) -> None:
    """Keep a result, or a run that has waited, that makes the server fail: it is looked at again after a minute."""
    for run in JOB_OF_RUN(plpy, row["jlgid"]):
        note_problem(plpy, run["jobid"], 0, error)
        if row["jslid"] is None:
            defer_runs(plpy, {}, {row["jlgid"]: SET_ASIDE_SECONDS})
        elif row["jslstatus"] != RUNNING:
            keep_results(plpy, agent, [row], SET_ASIDE_SECONDS)


# The rows stay: the run goes on, ends, or is deferred again in the same turn. A run that a session has locked is left.
WAITING_RUNS = Statement(
    """
SELECT r.jlgid FROM pgagent_py.run r
 WHERE r.agent = $1 AND r.jslid IS NULL AND (r.not_before <= clock_timestamp() OR r.waiting_since > clock_timestamp())
   FOR NO KEY UPDATE SKIP LOCKED""",
    "uuid",
)

TAKE_RESULTS = Statement(
    """
DELETE FROM pgagent_py.waiting_result w
 WHERE w.jslid = ANY (ARRAY(
       SELECT k.jslid FROM pgagent_py.waiting_result k
        WHERE k.agent = $1 AND (k.not_before <= clock_timestamp() OR k.waiting_since > clock_timestamp())
          FOR UPDATE SKIP LOCKED))
RETURNING w.jlgid, w.jslid, w.jslstatus, w.jslresult, w.jslduration::text AS jslduration, w.jsloutput""",
    "uuid",
    row=ResultRow,
)


def take_waiting(plpy: Plpy, agent: str, *, runs: bool) -> list[ResultRow]:
    """Return what of this agent has waited long enough: the kept results, and the *runs*, without a result."""
    kept = list(TAKE_RESULTS(plpy, agent))
    return kept + [result(row["jlgid"]) for row in WAITING_RUNS(plpy, agent)] if runs else kept


# The commit of its success is there; the booking that was to follow it was lost, for example with a primary.
CARRY_ON_BOOKED = Statement(
    """
UPDATE pgagent_py.run r
   SET jslid = NULL, booked = false, done = r.done || r.jstid, not_before = clock_timestamp(), waiting_since = clock_timestamp()
 WHERE r.jlgid = ANY (ARRAY(
       SELECT b.jlgid FROM pgagent_py.run b WHERE b.agent = $1 AND b.atomic AND b.booked FOR NO KEY UPDATE SKIP LOCKED))""",
    "uuid",
)


def carry_on_booked(plpy: Plpy, agent: str) -> None:
    """Let the runs of an agent that comes back go on whose atomic steps have booked themselves."""
    CARRY_ON_BOOKED(plpy, agent)


# The sweep: a run may have been closed meanwhile, or its job deleted.
FORGET_RESULTS = Statement("""
DELETE FROM pgagent_py.waiting_result
 WHERE jslid IN (SELECT w.jslid FROM pgagent_py.waiting_result w
                  WHERE NOT EXISTS (SELECT FROM pgagent_py.run r WHERE r.jlgid = ANY (ARRAY[w.jlgid]) AND r.jslid = w.jslid)
                    FOR UPDATE SKIP LOCKED)""")


def forget_results(plpy: Plpy) -> None:
    """Delete kept results that no run waits for any more."""
    FORGET_RESULTS(plpy)
