{% from "macros/visible.j2" import may_see %}
CREATE OR REPLACE VIEW pgagent_py.logged_job WITH (security_barrier) AS
SELECT j.jobid, j.jobname, j.jobenabled, j.jobagentid, j.jobnextrun, j.jobjclid, j.jobhostagent
  FROM pgagent.pga_job j
 WHERE {{ may_see("j.jobid", "pga_job", "pga_joblog") }};

COMMENT ON VIEW pgagent_py.logged_job IS
'The jobs of which the current role may see the log. What a query asks of job_status is never asked of other jobs.';
