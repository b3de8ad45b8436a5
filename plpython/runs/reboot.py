"""Jobs that run because a launcher has started: those with a schedule @reboot."""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import IDLE
from .claimable import FOR_AGENT
from .orders import NOTE_ORIGIN

REBOOT_JOBS = Statement(
    f"""
SELECT j.jobid FROM pgagent.pga_job j
 WHERE {IDLE} AND {FOR_AGENT.format(station="$1", knows="$2")} AND j.jobid = ANY (ARRAY(
       SELECT s.jscjobid FROM pgagent_py.schedule_option o JOIN pgagent.pga_schedule s ON s.jscid = ANY (ARRAY[o.jscid])
        WHERE o.jscreboot AND s.jscenabled AND now() BETWEEN s.jscstart AND coalesce(s.jscend, 'infinity')))""",
    "text",
    "text[]",
)


def reboot_jobs(plpy: Plpy, station: str, knows: Sequence[str]) -> list[int]:
    """Return the jobs (jobid) that run when a launcher starts on the host *station*, having what it *knows*."""
    return [row["jobid"] for row in REBOOT_JOBS(plpy, station, knows)]


NOW_BY_START = f"""j.jobid, now(), NULL, 'b', NULL
      FROM free JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[free.jobid]) WHERE {IDLE}"""

# Jobs that a session has locked are left for a later turn: to wait here would hold up all others.
RUN_REBOOT_JOBS = Statement(
    f"""
WITH free AS MATERIALIZED (
    SELECT j.jobid FROM pgagent.pga_job j WHERE j.jobid = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED),
noted AS (
    {NOTE_ORIGIN.format(NOW_BY_START)} RETURNING jobid),
due AS (
    UPDATE pgagent.pga_job j SET jobnextrun = now() WHERE j.jobid = ANY (ARRAY(SELECT noted.jobid FROM noted)))
UPDATE pgagent_py.agent SET jagreboot = (
       SELECT array_agg(j.jobid) FROM pgagent.pga_job j
        WHERE j.jobid = ANY ($1) AND j.jobid NOT IN (SELECT free.jobid FROM free))
 WHERE jagpid = pg_backend_pid()""",
    "int4[]",
)


def run_reboot_jobs(plpy: Plpy, jobids: Sequence[int]) -> None:
    """Make these jobs due because this agent has started; it keeps on its row those that are locked."""
    if jobids:
        RUN_REBOOT_JOBS(plpy, jobids)
