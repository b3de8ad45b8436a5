CREATE OR REPLACE VIEW pgagent_py.visible_job WITH (security_barrier) AS
SELECT j.jobid, j.jobname, j.jobenabled
  FROM pgagent.pga_job j
 WHERE has_table_privilege('pgagent.pga_job', 'SELECT');

COMMENT ON VIEW pgagent_py.visible_job IS 'The jobs that the current role may see: all for who may read pgagent.pga_job.';
