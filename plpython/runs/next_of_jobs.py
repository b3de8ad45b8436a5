"""The next runs of many jobs at a time, for the end of their runs: one by one, the trigger would take twice as long."""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..rules.kept_rules import Version
from ..rules.next_run import NEVER, firing, read_rules, timestamp, version_of
from ..rules.schedule import Instant, in_seconds


class ScheduleRow(Version):
    """An enabled schedule of a job, without jscid if the job has none."""

    jobid: int
    jscid: int | None
    exceptions: bool
    last_run: float | None


# As the trigger looks, which is left the jobs that may owe times.
SCHEDULES = Statement(
    """
SELECT j.jobid, v.jscid, v.s_ctid, v.s_xmin, v.s_cmin, v.options, v.default_zone, v.exceptions,
       CASE WHEN j.joblastrun > clock_timestamp() THEN extract(epoch FROM j.joblastrun)::float8 END AS last_run
  FROM pgagent.pga_job j
  LEFT JOIN pgagent_py.schedule_version v ON v.jscjobid = ANY (ARRAY[j.jobid]) AND v.jscenabled
 WHERE j.jobid = ANY ($1)
   AND NOT EXISTS (SELECT FROM pgagent_py.job_owed o WHERE o.jobid = ANY (ARRAY[j.jobid]))""",
    "int4[]",
    row=ScheduleRow,
)


def next_of_jobs(plpy: Plpy, jobids: Sequence[int]) -> dict[int, str]:
    """Return when these jobs run next, as text, infinity for never. What is missing is left to the trigger.

    The caller has the jobs locked: who changes their schedules waits for the end of its transaction, and has the next runs found.
    """
    read_rules(plpy, jobids)
    found: dict[int, Instant] = {}
    for row in SCHEDULES(plpy, jobids):
        at = None
        if row["jscid"] is not None:
            at = firing(plpy, row["jscid"], version_of(row), row["exceptions"], row["last_run"], None)
        found[row["jobid"]] = min(found.get(row["jobid"], NEVER), NEVER if at is None else in_seconds(at))
    return {jobid: timestamp(at) for jobid, at in found.items()}
