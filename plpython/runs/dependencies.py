"""Dependencies: a job starts when the jobs that it waits for have ended as asked. All its conditions are awaited.

The trigger pgagent_py_follow on pgagent.pga_joblog notes that a condition is met, whichever agent has run the job. A job whose
conditions are all met starts in the next turn of a launcher.
"""

from __future__ import annotations

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from .orders import DUE_NOW, PUT_WANTED

START_DEPENDENTS = Statement(f"""
-- jobs whose conditions are all met
WITH ready AS MATERIALIZED (
    SELECT d.jobid FROM pgagent_py.job_dependency d
     WHERE d.jobid IN (SELECT m.jobid FROM pgagent_py.dependency_met m)
     GROUP BY d.jobid
    HAVING bool_and(EXISTS (SELECT FROM pgagent_py.dependency_met m WHERE m.jobid = d.jobid AND m.jobafter = d.jobafter))),
-- a job waits for a later turn if a session has it locked, or one of its conditions, or an earlier order
condition AS MATERIALIZED (
    SELECT m.ctid FROM pgagent_py.dependency_met m WHERE m.jobid IN (SELECT ready.jobid FROM ready) FOR UPDATE SKIP LOCKED),
earlier AS MATERIALIZED (
    SELECT o.jobid FROM pgagent_py.run_order o WHERE o.jobid IN (SELECT ready.jobid FROM ready) FOR UPDATE SKIP LOCKED),
free AS MATERIALIZED (
    SELECT j.jobid, j.jobenabled, {DUE_NOW} AS due
      FROM pgagent.pga_job j
     WHERE j.jobid IN (SELECT ready.jobid FROM ready)
       AND NOT EXISTS (SELECT FROM pgagent_py.dependency_met m
                        WHERE m.jobid = j.jobid AND m.ctid NOT IN (SELECT condition.ctid FROM condition))
       AND NOT EXISTS (SELECT FROM pgagent_py.run_order o
                        WHERE o.jobid = j.jobid AND o.jobid NOT IN (SELECT earlier.jobid FROM earlier))
       FOR NO KEY UPDATE SKIP LOCKED),
-- conditions count once, those of a disabled job as well
met AS (
    DELETE FROM pgagent_py.dependency_met m USING free WHERE m.jobid = free.jobid
    RETURNING m.jobid, m.jobafter, m.jlgid, m.jlgstatus),
-- a condition that was met several times stands for the last run
last_met AS (
    SELECT DISTINCT ON (met.jobid, met.jobafter) met.* FROM met ORDER BY met.jobid, met.jobafter, met.jlgid DESC),
-- the parameters tell the run what has set it off
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
RETURNING j.jobid""")


def start_dependents(plpy: Plpy) -> bool:
    """Make the jobs due whose conditions are all met; return whether there were any."""
    return bool(START_DEPENDENTS(plpy))


# A condition that is met again before its job could start counts once, by its last run. One whose job or dependency is gone
# does not count. The trigger that notes them must not wait for a lock, so it leaves both here. Those of a job that is being
# started are locked, and skipped.
FORGET_MET = Statement("""
DELETE FROM pgagent_py.dependency_met m
 WHERE m.ctid = ANY (ARRAY(
       SELECT o.ctid FROM pgagent_py.dependency_met o
        WHERE EXISTS (SELECT FROM pgagent_py.dependency_met n
                       WHERE n.jobid = o.jobid AND n.jobafter = o.jobafter AND n.jlgid > o.jlgid)
           OR NOT EXISTS (SELECT FROM pgagent_py.job_dependency d WHERE d.jobid = o.jobid AND d.jobafter = o.jobafter)
        LIMIT 1000 FOR UPDATE OF o SKIP LOCKED))""")


def forget_met(plpy: Plpy) -> None:
    """Delete notes of met conditions that no job waits for any more, a thousand at most."""
    FORGET_MET(plpy)
