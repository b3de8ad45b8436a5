CREATE OR REPLACE VIEW pgagent_py.firing_rule AS
SELECT r.jscjobid AS jobid,
       md5(string_agg((r.jscid,
           {%- for set in python_constant("ground.vocabulary.SETS") %} r.jsc{{ set }},{% endfor %}
           r.jsctimezone, r.jscevery, r.jscreboot, r.exception_days, r.exception_minutes, r.blocked_days, r.only_days,
           r.start_micros, r.end_micros, r.at_micros, r.days, r.nth, r.workdays, r.roll, r.recurs, r.weekend, r.spread,
           CASE WHEN r.spread IS NOT NULL THEN r.jscname END, r.jobname)::text, ',' ORDER BY r.jscid)) AS rules
  FROM pgagent_py.schedule_rule r WHERE r.jscenabled GROUP BY r.jscjobid;

COMMENT ON VIEW pgagent_py.firing_rule IS
'Tells whether the enabled schedules of a job still say the same, with their options, exceptions, calendars and time zone. '
'It stays the same when they are dumped and restored.';
