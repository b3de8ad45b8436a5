CREATE OR REPLACE VIEW pgagent_py.step_options WITH (security_barrier) AS
SELECT s.jstjobid AS job, s.jstid AS step, s.jstname AS name, o.jstatomic AS atomic, o.jsttimeout AS timeout, o.jstretries AS retries,
       o.jstretrydelay AS retry_delay, o.jstretrybackoff AS retry_backoff,
       s.jobid, s.jstid
  FROM pgagent_py.visible_step s
  JOIN pgagent_py.step_option o ON o.jstid = s.jstid;

COMMENT ON VIEW pgagent_py.step_options IS
'What alter_step() has set of the steps that the current role may see, by the names of its arguments. No row: nothing.';
