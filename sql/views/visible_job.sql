{% from "macros/visible.j2" import may_see %}
CREATE OR REPLACE VIEW pgagent_py.visible_job WITH (security_barrier) AS
SELECT j.jobid, j.jobname, j.jobenabled, r.owner AS jobowner, r.run_as AS jobrunas, c.jclname AS jobclass, j.jobdesc,
       j.jobhostagent, j.jobcreated, j.jobchanged, j.jobagentid IS NOT NULL AS jobrunning, j.jobnextrun, j.joblastrun
  FROM pgagent.pga_job j
  JOIN pgagent.pga_jobclass c ON c.jclid = j.jobjclid
  LEFT JOIN pgagent_py.job_role r ON r.jobid = j.jobid
 WHERE {{ may_see("j.jobid", "pga_job") }};

COMMENT ON VIEW pgagent_py.visible_job IS
'The jobs that the current role may see: all for who may read pgagent.pga_job, else those whose owner''s rights it has. jobowner NULL: '
'nobody''s job, such as those made by pgAdmin; jobrunas NULL: SQL steps run as the owner.';
