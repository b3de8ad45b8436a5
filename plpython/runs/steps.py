"""Steps of runs: which is next, and its start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from .hand_out import STEP_RUN
from .rows import BookedRow, StepRow

# Steps in the order of their names, without those that this run has logged already: renaming a step while the job runs neither
# skips nor repeats it. A step that has failed in a run that goes on is to be tried again. A run may begin in the middle.
NEXT_STEP = """
    SELECT s.jstid FROM pgagent.pga_jobstep s
     WHERE s.jstjobid = r.jobid AND s.jstenabled
       AND NOT EXISTS (SELECT FROM pgagent.pga_jobsteplog d
                        WHERE d.jsljlgid = r.jlgid AND d.jsljstid = s.jstid AND d.jslstatus <> 'f')
       AND NOT EXISTS (SELECT FROM pgagent_py.run_option ro
                        WHERE ro.jlgid = r.jlgid AND (s.jstname, s.jstid) < (ro.jstname, ro.jstid))
     ORDER BY s.jstname, s.jstid LIMIT 1"""


class NextRow(StepRow):
    """The next step of a run, and what it needs that the agent does not know."""

    need: str | None


# $1 jlgids, $2 jobids, $3 what the agent knows.
START_STEPS = Statement(
    f"""
-- the next step of each run that has one
WITH next AS (
    SELECT r.jlgid, r.jobid, n.jstid
      FROM unnest($1, $2) r (jlgid, jobid)
     CROSS JOIN LATERAL ({NEXT_STEP}) n),
-- without those that need what the agent does not know, or that a session has locked: the log refers to them, and would wait
free AS (
    SELECT s.jstid FROM pgagent.pga_jobstep s
     WHERE s.jstid IN (SELECT next.jstid FROM next)
       AND NOT EXISTS (SELECT FROM pgagent_py.step_need n WHERE n.jstid = s.jstid AND n.need <> ALL ($3))
       FOR KEY SHARE SKIP LOCKED),
logged AS (
    INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslstart)
    SELECT next.jlgid, next.jstid, 'r', clock_timestamp() FROM next WHERE next.jstid IN (SELECT free.jstid FROM free)
    RETURNING jslid, jsljlgid, jsljstid)
-- jslid is NULL where the step was not started
SELECT {STEP_RUN},
       (SELECT min(n.need) FROM pgagent_py.step_need n WHERE n.jstid = r.jstid AND n.need <> ALL ($3)) AS need
  FROM next r
  JOIN pgagent.pga_job j ON j.jobid = r.jobid
  JOIN pgagent.pga_jobstep s ON s.jstid = r.jstid
  LEFT JOIN logged l ON l.jsljlgid = r.jlgid
  LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = j.jobid""",
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
    jlgids = [row["jlgid"] for row in runs]
    rows = START_STEPS(plpy, jlgids, [row["jobid"] for row in runs], knows)
    found = {row["jlgid"] for row in rows}
    return Started(
        steps=[row for row in rows if row["jslid"] is not None],
        blocked=[row["jlgid"] for row in rows if row["jslid"] is None and row["need"] is None],
        unknown={row["jlgid"]: row["need"] for row in rows if row["need"] is not None},
        done=[jlgid for jlgid in jlgids if jlgid not in found],
    )


RUNS_TO_GO_ON = Statement(
    f"""
SELECT r.jlgid FROM unnest($1, $2) r (jlgid, jobid)
 CROSS JOIN LATERAL ({NEXT_STEP}) n""",
    "int4[]",
    "int4[]",
)


def runs_to_go_on(plpy: Plpy, runs: Sequence[BookedRow]) -> set[int]:
    """Return which of the runs (jlgid) have another step."""
    rows = RUNS_TO_GO_ON(plpy, [row["jlgid"] for row in runs], [row["jobid"] for row in runs])
    return {row["jlgid"] for row in rows}
