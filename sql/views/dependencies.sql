CREATE OR REPLACE VIEW pgagent_py.dependencies WITH (security_barrier) AS
SELECT v.jobid, v.jobname, d.jobafter, d.depwhen AS "when",
       EXISTS (SELECT FROM pgagent_py.dependency_met m WHERE m.jobid = d.jobid AND m.jobafter = d.jobafter) AS met
  FROM pgagent_py.visible_job v JOIN pgagent_py.job_dependency d ON d.jobid = v.jobid;

COMMENT ON VIEW pgagent_py.dependencies IS
'Which jobs that the current role may see wait for which others (jobafter), and whether that condition is met already.';
