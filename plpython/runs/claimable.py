"""Which due jobs an agent may claim: conditions on a row j of pga_job, for the statements that claim and that look ahead."""

from __future__ import annotations

from ..ground.vocabulary import DUE

# For jobs that are named by their ids: a plan must not look for them among all due jobs, in the index of those.
DUE_TOO = f"coalesce({DUE}, false)"

# A job for another host, and one that needs what the agent does not have, is left to another agent. Where nothing needs anything,
# the first look is the only one.
FOR_AGENT = """j.jobhostagent IN ('', {station})
       AND (NOT EXISTS (SELECT FROM pgagent_py.any_need) OR NOT EXISTS (
            SELECT FROM pgagent_py.step_need n WHERE n.jobid = ANY (ARRAY[j.jobid]) AND n.need <> ALL ({knows})))"""

# On a row p of run, whether it does not end with its agent, as the view kept_run has it.
KEPT = """(CASE WHEN p.jslid IS NULL THEN EXISTS (SELECT FROM pgagent_py.draining d WHERE d.agent = ANY (ARRAY[p.agent]))
              ELSE p.engine IS NOT NULL END)"""

# Jobs that a session can run by itself: every enabled step is SQL in this database, and runs as the role that has logged in.
# What an owner has written must not run with another role's rights.
LOCAL = """AND NOT EXISTS (
    SELECT FROM pgagent.pga_jobstep o WHERE o.jstjobid = ANY (ARRAY[j.jobid]) AND o.jstenabled
       AND (o.jstkind <> 's' OR o.jstconnstr <> '' OR o.jstdbname <> current_database()))
  AND EXISTS (
    SELECT FROM pgagent_py.agent a LEFT JOIN pgagent_py.job_owner o ON o.jobid = ANY (ARRAY[j.jobid])
     WHERE a.jagpid = pg_backend_pid()
       AND CASE WHEN o.jobowner IS NULL THEN a.jagall
                ELSE a.jagown AND a.jagrole = CASE WHEN o.jobrunas IS NULL THEN o.jobownerid ELSE o.jobrunasid END END)"""

# All conditions of a job that runs after others are met. {job} is its id.
MET = """NOT EXISTS (
                  SELECT FROM pgagent_py.job_dependency d
                   WHERE d.jobid = ANY (ARRAY[{job}])
                     AND NOT EXISTS (SELECT FROM pgagent_py.dependency_met n
                                      WHERE n.jobid = ANY (ARRAY[d.jobid]) AND n.jobafter = d.jobafter))
              AND NOT EXISTS (
                  SELECT FROM pgagent_py.comment_line c
                   WHERE c.jobid = ANY (ARRAY[{job}]) AND c.linafter IS NOT NULL AND c.jobafter IS NULL)"""

# What the agent of this backend may change in its turn: a launcher everything, a session its own jobs.
MINE = """EXISTS (
    SELECT FROM pgagent_py.agent a LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[j.jobid])
     WHERE a.jagpid = pg_backend_pid() AND (a.jagall OR o.jobownerid = a.jagrole))"""

# now() stands still in a session's call of run_due, so this is true for a job that the call has not run yet.
NOT_YET = " AND j.joblastrun IS DISTINCT FROM now()"

# What a turn may claim: any job; jobs that the session can run; those of them that it has not run yet.
ANY, IN_SESSION, IN_SESSION_ONCE = "any", "in session", "in session once"
SCOPES = {ANY: "", IN_SESSION: LOCAL, IN_SESSION_ONCE: LOCAL + NOT_YET}
