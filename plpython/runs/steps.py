"""Steps of runs: which is next, and its start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from .hand_out import STEP_RUN
from .rows import BookedRow, StepRow

# Steps in the order of their names, without those that this run has done (table run): renaming a step while the job runs
# neither skips nor repeats it. A step that has failed in a run that goes on is to be tried again, before all others. A run may
# begin in the middle.
NEXT_STEP = """
    SELECT s.jstid FROM pgagent.pga_jobstep s
     WHERE s.jstjobid = r.jobid AND s.jstenabled AND s.jstid IS DISTINCT FROM r.ended
       AND CASE WHEN d.keys IS NULL THEN s.jstid <> ALL (coalesce(p.done, '{}')) ELSE NOT d.keys ? s.jstid::text END
       AND NOT EXISTS (SELECT FROM pgagent_py.run_option ro
                        WHERE ro.jlgid = ANY (ARRAY[r.jlgid])
                          AND CASE WHEN ro.jstonly THEN s.jstid <> ro.jstid
                                   ELSE (s.jstname, s.jstid) < (ro.jstname, ro.jstid) END)
     ORDER BY s.jstid <> p.jstid, s.jstname, s.jstid LIMIT 1"""

# $1 jlgids, $2 jobids, $3 the step (jstid) that each has just ended.
NEXT_STEPS = f"""
      FROM unnest($1, $2, $3) r (jlgid, jobid, ended)
      JOIN pgagent_py.run p ON p.jlgid = ANY (ARRAY[r.jlgid])
     -- of many done steps a search tree: to compare each step with all of them would take too long
     CROSS JOIN LATERAL (
           SELECT CASE WHEN cardinality(p.done) > 20
                       THEN (SELECT jsonb_object_agg(u, true) FROM unnest(p.done) u) END AS keys OFFSET 0) d
     CROSS JOIN LATERAL ({NEXT_STEP}) n"""


class NextRow(StepRow):
    """The next step of a run, and what it needs that the agent does not know."""

    need: str | None


# $4 what the agent knows.
START_STEPS = Statement(
    f"""
-- the next step of each run that has one; jslid is NULL where it is not started, because it needs what the agent does not know,
-- or a session has it locked: the log refers to it, and would wait
WITH next AS MATERIALIZED (
    SELECT r.jlgid, r.jobid, r.ended, p.started, p.claimed, n.jstid, s.jstatomic, s.jstengine, NULL AS enginejob,
           clock_timestamp() AS handed,
           -- the same step as before is its next try
           CASE WHEN p.jstid = n.jstid THEN p.try + 1 ELSE 1 END AS try,
           CASE WHEN s.jstid IS NOT NULL THEN nextval('pgagent.pga_jobsteplog_jslid_seq')::integer END AS jslid {NEXT_STEPS}
      LEFT JOIN LATERAL (
           SELECT s.jstid, coalesce(so.jstatomic, false) AS jstatomic,
                  CASE WHEN 'lasting ' || so.jstengine = ANY ($4) THEN so.jstengine END AS jstengine
             FROM pgagent.pga_jobstep s LEFT JOIN pgagent_py.step_option so ON so.jstid = ANY (ARRAY[s.jstid])
            WHERE s.jstid = n.jstid
              AND (NOT EXISTS (SELECT FROM pgagent_py.any_need)
                   OR NOT EXISTS (SELECT FROM pgagent_py.step_need n WHERE n.jstid = ANY (ARRAY[s.jstid]) AND n.need <> ALL ($4)))
              FOR KEY SHARE OF s SKIP LOCKED) s ON true),
logged AS (
    INSERT INTO pgagent.pga_jobsteplog (jslid, jsljlgid, jsljstid, jslstatus, jslstart)
    SELECT next.jslid, next.jlgid, next.jstid, 'r', next.handed FROM next WHERE next.jslid IS NOT NULL),
noted AS (
    UPDATE pgagent_py.run p
       SET jstid = next.jstid, jslid = next.jslid, handed = next.handed, atomic = next.jstatomic, booked = false,
           try = next.try, done = CASE WHEN next.ended IS NULL THEN p.done ELSE p.done || next.ended END,
           not_before = NULL, waiting_since = NULL, engine = next.jstengine, enginejob = NULL
      FROM next WHERE p.jlgid = ANY (ARRAY[next.jlgid]) AND next.jslid IS NOT NULL)
SELECT {STEP_RUN},
       (SELECT min(n.need) FROM pgagent_py.step_need n WHERE n.jstid = r.jstid AND n.need <> ALL ($4)) AS need
  FROM next r
 CROSS JOIN LATERAL (SELECT r.jslid, r.handed) l
  JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[r.jobid])
  JOIN pgagent.pga_jobstep s ON s.jstid = ANY (ARRAY[r.jstid])
  LEFT JOIN pgagent_py.step_option so ON so.jstid = ANY (ARRAY[s.jstid])
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = ANY (ARRAY[j.jobid])""",
    "int4[]",
    "int4[]",
    "int4[]",
    "text[]",
    row=NextRow,
)


class Started(NamedTuple):
    """Steps that have started, and the runs (jlgid) of which none has.

    blocked: a session has the step locked, or there is no place for it. unknown: the step needs this, which the agent does not
    know. done: there is no other step.
    """

    steps: list[StepRow]
    blocked: list[int]
    unknown: dict[int, str]
    done: list[int]


def start_steps(plpy: Plpy, runs: Sequence[BookedRow], knows: Sequence[str]) -> Started:
    """Log the next step of each run as running, unless it needs what is not among *knows*."""
    rows = START_STEPS(plpy, *_columns(runs), knows)
    found = {row["jlgid"] for row in rows}
    return Started(
        steps=[row for row in rows if row["jslid"] is not None],
        blocked=[row["jlgid"] for row in rows if row["jslid"] is None and row["need"] is None],
        unknown={row["jlgid"]: row["need"] for row in rows if row["need"] is not None},
        done=[row["jlgid"] for row in runs if row["jlgid"] not in found],
    )


# Of a step that a session executes, effect and booking are one transaction: there is no commit that could be lost.
COMMIT_WITH_BOOKING = Statement(
    "UPDATE pgagent_py.run r SET atomic = false WHERE r.agent = $1 AND r.atomic", "uuid"
)


def commit_with_booking(plpy: Plpy, agent: str) -> None:
    """Let the steps of *agent*, which executes them in this transaction, count as they are reported."""
    COMMIT_WITH_BOOKING(plpy, agent)


RUNS_TO_GO_ON = Statement(f"SELECT r.jlgid, n.jstid {NEXT_STEPS}", "int4[]", "int4[]", "int4[]")


def runs_to_go_on(plpy: Plpy, runs: Sequence[BookedRow]) -> dict[int, int]:
    """Return the next step (jstid) of the runs (jlgid) that have another one."""
    return {row["jlgid"]: row["jstid"] for row in RUNS_TO_GO_ON(plpy, *_columns(runs))}


def _columns(runs: Sequence[BookedRow]) -> tuple[list[int], list[int], list[int | None]]:
    return [row["jlgid"] for row in runs], [row["jobid"] for row in runs], [row["ended"] for row in runs]
