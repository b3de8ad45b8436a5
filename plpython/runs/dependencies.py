"""Dependencies: a job starts when the jobs that it waits for have ended as asked. All its conditions are awaited.

That a condition is met is noted by the trigger pgagent_py_follow on pgagent.pga_joblog, whoever has run the job; what is ready
starts in the next turn of a launcher.
"""

from __future__ import annotations

from typing import Any

from ..ground.plan import run
from .orders import DUE_NOW, PUT_WANTED

# A job that a session has locked waits for a later turn. Its parameters tell the run what has set it off.
START_DEPENDENTS = f"""
WITH ready AS MATERIALIZED (
    SELECT d.jobid FROM pgagent_py.job_dependency d
     WHERE d.jobid IN (SELECT m.jobid FROM pgagent_py.dependency_met m)
     GROUP BY d.jobid
    HAVING bool_and(EXISTS (SELECT FROM pgagent_py.dependency_met m WHERE m.jobid = d.jobid AND m.jobafter = d.jobafter))),
free AS MATERIALIZED (
    SELECT j.jobid, j.jobenabled, {DUE_NOW} AS due
      FROM pgagent.pga_job j WHERE j.jobid IN (SELECT ready.jobid FROM ready)
       FOR NO KEY UPDATE SKIP LOCKED),
met AS (
    DELETE FROM pgagent_py.dependency_met m USING free WHERE m.jobid = free.jobid
    RETURNING m.jobid, m.jobafter, m.jlgid, m.jlgstatus),
last_met AS (
    SELECT DISTINCT ON (met.jobid, met.jobafter) met.* FROM met ORDER BY met.jobid, met.jobafter, met.jlgid DESC),
wanted (jobid, due, jstname, jstid, parameters) AS (
    SELECT m.jobid, free.due, NULL::text, NULL::int4, jsonb_build_object('triggered_by', jsonb_agg(jsonb_build_object(
               'job', m.jobafter, 'name', j.jobname, 'run', m.jlgid, 'status', m.jlgstatus) ORDER BY m.jobafter))
      FROM last_met m
      JOIN free ON free.jobid = m.jobid AND free.jobenabled
      JOIN pgagent.pga_job j ON j.jobid = m.jobafter
     GROUP BY m.jobid, free.due),
ordered AS (
    {PUT_WANTED})
UPDATE pgagent.pga_job j SET jobnextrun = free.due FROM free WHERE j.jobid = free.jobid AND free.jobenabled
RETURNING j.jobid
"""

# A condition that is met again before its job could start counts once, by its last run; one whose job or dependency is gone,
# not at all. The trigger that notes them must not wait for a lock, so it leaves them here; what is being started is skipped.
FORGET_MET = """
DELETE FROM pgagent_py.dependency_met m
 WHERE m.ctid = ANY (ARRAY(
       SELECT o.ctid FROM pgagent_py.dependency_met o
        WHERE EXISTS (SELECT FROM pgagent_py.dependency_met n
                       WHERE n.jobid = o.jobid AND n.jobafter = o.jobafter AND n.jlgid > o.jlgid)
           OR NOT EXISTS (SELECT FROM pgagent_py.job_dependency d WHERE d.jobid = o.jobid AND d.jobafter = o.jobafter)
        LIMIT 1000 FOR UPDATE OF o SKIP LOCKED))"""


def forget_met(plpy: Any) -> None:
    """Delete notes of met conditions that nothing will come of any more, a thousand at most."""
    run(plpy, FORGET_MET)


def start_dependents(plpy: Any) -> bool:
    """Make the jobs due whose conditions are all met; return whether there were any."""
    return bool(run(plpy, START_DEPENDENTS))
