-- requires: schedule_rule, visible_job
CREATE OR REPLACE VIEW pgagent_py.visible_schedule_rule WITH (security_barrier) AS
SELECT r.* FROM pgagent_py.schedule_rule r JOIN pgagent_py.visible_job v ON v.jobid = r.jscjobid;

COMMENT ON VIEW pgagent_py.visible_schedule_rule IS 'schedule_rule of the jobs that the current role may see.';
