CREATE OR REPLACE VIEW pgagent_py.schedule_options WITH (security_barrier) AS
SELECT s.jscjobid AS job, s.jscid AS schedule, s.jscname AS name, o.jsctimezone AS timezone, o.jscevery AS every, o.jscat AS at,
       o.jscreboot AS reboot,
       ARRAY(SELECT c.calname FROM pgagent_py.schedule_calendar c WHERE c.jscid = s.jscid AND NOT c.calonly ORDER BY 1) AS calendars,
       ARRAY(SELECT c.calname FROM pgagent_py.schedule_calendar c WHERE c.jscid = s.jscid AND c.calonly ORDER BY 1) AS only_calendars,
       s.jobid, s.jscid, nullif(o.jscdays, '{}') AS monthdays, o.jscnth AS nth, o.jscworkdays AS workdays, o.jscroll AS roll,
       o.jscrecurs AS recurs, o.jscspread AS spread
  FROM pgagent_py.visible_schedule s
  JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid;

GRANT SELECT ON pgagent_py.schedule_options TO PUBLIC;

COMMENT ON VIEW pgagent_py.schedule_options IS
{% filter literal %}
What add_schedule(), alter_schedule() and attach_calendar() have set, beyond pgAgent's own columns, for the schedules
that the current role sees in visible_schedule. A schedule without a row has no options.

- jobid, jscid: the job and the schedule. job and schedule are the same.
- timezone: NULL is the default, default_timezone().
- every, at: NULL is none.
- reboot: it fires when a launcher starts.
- calendars: it does not fire on the days of these.
- only_calendars: it fires on the days of these only.
- monthdays: the days of the month, where some count from its end.
- nth, workdays, roll, recurs, spread: as in add_schedule(). NULL is none.
{% endfilter %};
