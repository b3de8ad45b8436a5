"""Steps of runs: which is next, and its start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ground.plan import run
from .hand_out import STEP_RUN, StepRow

# Steps in the order of their names, without those that this run has logged already: renaming one while the job runs neither
# skips nor repeats it. What has failed in a run that goes on is to be tried again. A run may begin in the middle.
NEXT_STEP = """
    SELECT s.jstid FROM pgagent.pga_jobstep s
     WHERE s.jstjobid = {job} AND s.jstenabled
       AND NOT EXISTS (SELECT FROM pgagent.pga_jobsteplog d
                        WHERE d.jsljlgid = {run} AND d.jsljstid = s.jstid AND d.jslstatus <> 'f')
       AND NOT EXISTS (SELECT FROM pgagent_py.run_option ro
                        WHERE ro.jlgid = {run} AND (s.jstname, s.jstid) < (ro.jstname, ro.jstid))
     ORDER BY s.jstname, s.jstid LIMIT 1"""

START_STEPS = f"""
WITH next AS (
    SELECT r.jlgid, r.jobid, n.jstid
      FROM unnest($1, $2) r (jlgid, jobid)
     CROSS JOIN LATERAL ({NEXT_STEP.format(job="r.jobid", run="r.jlgid")}) n),
free AS (
    SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstid IN (SELECT next.jstid FROM next)
       FOR KEY SHARE SKIP LOCKED),
logged AS (
    INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslstart)
    SELECT next.jlgid, next.jstid, 'r', clock_timestamp() FROM next WHERE next.jstid IN (SELECT free.jstid FROM free)
    RETURNING jslid, jsljlgid, jsljstid)
SELECT {STEP_RUN}
  FROM next r
  JOIN pgagent.pga_job j ON j.jobid = r.jobid
  JOIN pgagent.pga_jobstep s ON s.jstid = r.jstid
  LEFT JOIN logged l ON l.jsljlgid = r.jlgid
  LEFT JOIN pgagent_py.step_option so ON so.jstid = s.jstid
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = j.jobid
"""


def start_steps(plpy: Any, runs: Sequence[StepRow]) -> tuple[list[StepRow], list[int], list[int]]:
    """Log and return the next step of each run; also the runs whose step is locked by a session, and those without one."""
    columns = [[row["jlgid"] for row in runs], [row["jobid"] for row in runs]]
    rows = run(plpy, START_STEPS, ["int4[]", "int4[]"], columns)
    started = [row for row in rows if row["jslid"] is not None]
    blocked = [row["jlgid"] for row in rows if row["jslid"] is None]
    found = {row["jlgid"] for row in rows}
    return started, blocked, [jlgid for jlgid in columns[0] if jlgid not in found]


# Of the runs given, those that have a step to go on with.
RUNS_TO_GO_ON = f"""
SELECT r.jlgid FROM unnest($1, $2) r (jlgid, jobid)
 CROSS JOIN LATERAL ({NEXT_STEP.format(job="r.jobid", run="r.jlgid")}) n
"""


def runs_to_go_on(plpy: Any, runs: Sequence[StepRow]) -> set[int]:
    """Return which of the runs have another step."""
    columns = [[row["jlgid"] for row in runs], [row["jobid"] for row in runs]]
    return {row["jlgid"] for row in run(plpy, RUNS_TO_GO_ON, ["int4[]", "int4[]"], columns)}
