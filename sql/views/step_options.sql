CREATE OR REPLACE VIEW pgagent_py.step_options WITH (security_barrier) AS
SELECT s.jstjobid AS job, s.jstid AS step, s.jstname AS name, o.jstatomic AS atomic, o.jsttimeout AS timeout, o.jstretries AS retries,
       o.jstretrydelay AS retry_delay, o.jstretrybackoff AS retry_backoff,
       o.jstkeeprows AS keep_rows,
       s.jobid, s.jstid, o.jstengine AS engine, o.jstengineoptions AS engine_options,
       o.jstseparately AS separately
  FROM pgagent_py.visible_step s
  JOIN pgagent_py.step_option o ON o.jstid = s.jstid;

GRANT SELECT ON pgagent_py.step_options TO PUBLIC;

COMMENT ON VIEW pgagent_py.step_options IS
{% filter literal %}
What alter_step() has set for the steps that the current role sees in visible_step. The columns have the names of its
arguments. A step without a row has no options.

- jobid, jstid: the job and the step. job and step are the same.
{% endfilter %};
