"""Dependencies: a job starts when the jobs that it waits for have ended as asked. All its conditions are awaited.

The trigger pgagent_py_follow on pgagent.pga_joblog notes that a condition is met, whichever agent has run the job. A job whose
conditions are all met starts in the next turn of a launcher.
"""

from __future__ import annotations

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import NAME_LENGTH
from .claimable import MET, MINE
from .orders import DUE_NOW, NOTE_ORIGIN, PUT_WANTED

# How many jobs a turn makes due at most, and of how many runs it tells each in triggered_by, the latest. $1 and $2.
JOBS_PER_TURN, RUNS_TOLD = 100, 1000

FOLLOWING = """f.jobid, f.due, c.due, 'd', c.names
      FROM free f LEFT JOIN cause c ON c.jobid = f.jobid WHERE f.jobenabled"""

START_DEPENDENTS = Statement(
    f"""
-- jobs whose conditions are all met, unless a session has them locked: those wait for a later turn
WITH ready AS MATERIALIZED (
    SELECT j.jobid, j.jobenabled, {DUE_NOW} AS due
      FROM (SELECT DISTINCT m.jobid FROM pgagent_py.dependency_met m) m
     CROSS JOIN LATERAL (
           SELECT j.* FROM pgagent.pga_job j
            WHERE j.jobid = m.jobid
              AND EXISTS (SELECT FROM pgagent_py.job_dependency d WHERE d.jobid = ANY (ARRAY[j.jobid]))
              AND {MET.format(job="j.jobid")}
              AND {MINE}
              FOR NO KEY UPDATE SKIP LOCKED) j
     LIMIT $1),
-- nor may a session have one of the conditions locked, or an earlier order
condition AS MATERIALIZED (
    SELECT m.ctid FROM pgagent_py.dependency_met m WHERE m.jobid = ANY (ARRAY(SELECT ready.jobid FROM ready))
       FOR UPDATE SKIP LOCKED),
earlier AS MATERIALIZED (
    SELECT o.jobid FROM pgagent_py.run_order o WHERE o.jobid = ANY (ARRAY(SELECT ready.jobid FROM ready))
       FOR UPDATE SKIP LOCKED),
free AS MATERIALIZED (
    SELECT j.* FROM ready j
     WHERE NOT EXISTS (SELECT FROM pgagent_py.dependency_met m
                        WHERE m.jobid = ANY (ARRAY[j.jobid]) AND m.ctid NOT IN (SELECT condition.ctid FROM condition))
       AND NOT EXISTS (SELECT FROM pgagent_py.run_order o
                        WHERE o.jobid = ANY (ARRAY[j.jobid]) AND o.jobid NOT IN (SELECT earlier.jobid FROM earlier))),
-- conditions count once, those of a disabled job as well
met AS (
    DELETE FROM pgagent_py.dependency_met m WHERE m.jobid = ANY (ARRAY(SELECT free.jobid FROM free))
    RETURNING m.jobid, m.jobafter, m.jlgid, m.jlgstatus),
-- a condition that was met several times stands for the last run
told AS (
    SELECT l.* FROM (
        SELECT l.*, row_number() OVER (PARTITION BY l.jobid ORDER BY l.jlgid DESC) AS place
          FROM (SELECT DISTINCT ON (met.jobid, met.jobafter) met.* FROM met
                 ORDER BY met.jobid, met.jobafter, met.jlgid DESC) l) l
     WHERE l.place <= $2),
-- the parameters tell the run what has set it off
cause AS (
    SELECT t.jobid, jsonb_agg(jsonb_build_object(
               'job', t.jobafter, 'name', left(j.jobname, {NAME_LENGTH}), 'run', t.jlgid, 'status', t.jlgstatus)
               ORDER BY t.jobafter) AS runs,
           left(string_agg(left(j.jobname, {NAME_LENGTH}), ', ' ORDER BY t.jobafter), {NAME_LENGTH}) AS names,
           max(o.jlgdue) AS due
      FROM told t
      JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[t.jobafter])
      LEFT JOIN pgagent_py.run_origin o ON o.jlgid = ANY (ARRAY[t.jlgid])
     GROUP BY t.jobid),
-- the run is for the time that those were for, the latest
noted AS (
    {NOTE_ORIGIN.format(FOLLOWING)}
    RETURNING jobid),
started AS (
    UPDATE pgagent.pga_job j SET jobnextrun = f.due FROM free f
     WHERE j.jobid = ANY (ARRAY[f.jobid]) AND f.jobid = ANY (ARRAY(SELECT noted.jobid FROM noted))
    RETURNING j.jobid, j.jobnextrun),
wanted (jobid, due, jstname, jstid, parameters) AS (
    SELECT s.jobid, s.jobnextrun, NULL::text, NULL::int4, jsonb_build_object('triggered_by', c.runs)
      FROM started s CROSS JOIN LATERAL (SELECT c.runs FROM cause c WHERE c.jobid = s.jobid) c),
ordered AS (
    {PUT_WANTED})
SELECT started.jobid FROM started""",
    "int4",
    "int4",
)


def start_dependents(plpy: Plpy) -> bool:
    """Make jobs due whose conditions are all met; return whether there were any."""
    return bool(START_DEPENDENTS(plpy, JOBS_PER_TURN, RUNS_TOLD))


# Those that a session has locked wait.
UNCHECKED = Statement("""
SELECT d.jobid, d.jobafter FROM pgagent_py.job_dependency d WHERE NOT d.depchecked
 LIMIT 20 FOR NO KEY UPDATE SKIP LOCKED""")

# $1 waits for $2. All jobs that $2 waits for, and it itself: $1 among them closes a circle.
FIND_CIRCLE = Statement(
    """
WITH RECURSIVE before (jobid) AS (
    SELECT $2 UNION SELECT d.jobafter FROM pgagent_py.job_dependency d JOIN before b ON d.jobid = ANY (ARRAY[b.jobid]))
SELECT FROM before b WHERE b.jobid = $1 LIMIT 1""",
    "int4",
    "int4",
)
SET_CHECKED = Statement(
    "UPDATE pgagent_py.job_dependency d SET depchecked = true WHERE d.jobid = $1 AND d.jobafter = $2",
    "int4",
    "int4",
)
DROP = Statement(
    "DELETE FROM pgagent_py.job_dependency d WHERE d.jobid = $1 AND d.jobafter = $2", "int4", "int4"
)
CIRCLE = "pgagent_py: job %s no longer waits for job %s: two sessions have closed a circle at the same time"


def check_dependencies(plpy: Plpy) -> None:
    """Note that some new dependencies close no circle, or drop them."""
    for row in UNCHECKED(plpy):
        pair = row["jobid"], row["jobafter"]
        if FIND_CIRCLE(plpy, *pair):
            plpy.warning(CIRCLE % pair)
            DROP(plpy, *pair)
        else:
            SET_CHECKED(plpy, *pair)


# A condition that is met again before its job could start counts once, by its last run. One whose job or dependency is gone
# does not count. The trigger that notes them must not wait for a lock, so it leaves both here. Those of a job that is being
# started are locked, and skipped.
FORGET_MET = Statement("""
DELETE FROM pgagent_py.dependency_met m
 WHERE m.ctid = ANY (ARRAY(
       SELECT o.ctid FROM pgagent_py.dependency_met o
        WHERE EXISTS (SELECT FROM pgagent_py.dependency_met n
                       WHERE n.jobid = ANY (ARRAY[o.jobid]) AND n.jobafter = o.jobafter AND n.jlgid > o.jlgid)
           OR NOT EXISTS (SELECT FROM pgagent_py.job_dependency d
                           WHERE d.jobid = ANY (ARRAY[o.jobid]) AND d.jobafter = o.jobafter)
        LIMIT 1000 FOR UPDATE OF o SKIP LOCKED))""")


def forget_met(plpy: Plpy) -> None:
    """Delete notes of met conditions that no job waits for any more, a thousand at most."""
    FORGET_MET(plpy)
