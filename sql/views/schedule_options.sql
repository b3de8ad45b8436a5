CREATE OR REPLACE VIEW pgagent_py.schedule_options WITH (security_barrier) AS
SELECT s.jscjobid AS job, s.jscid AS schedule, s.jscname AS name, o.jsctimezone AS timezone, o.jscevery AS every, o.jscat AS at,
       o.jscreboot AS reboot,
       ARRAY(SELECT c.calname FROM pgagent_py.schedule_calendar c WHERE c.jscid = s.jscid AND NOT c.calonly ORDER BY 1) AS calendars,
       ARRAY(SELECT c.calname FROM pgagent_py.schedule_calendar c WHERE c.jscid = s.jscid AND c.calonly ORDER BY 1) AS only_calendars,
       s.jobid, s.jscid
  FROM pgagent_py.visible_schedule s
  JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid;

COMMENT ON VIEW pgagent_py.schedule_options IS
'What add_schedule(), alter_schedule() and attach_calendar() have set, beyond pgAgent''s columns, of the schedules that the current '
'role may see: timezone NULL is the default, every and at NULL are none, reboot: it fires when a launcher starts; on the days of '
'calendars it does not fire, of only_calendars it fires on the days alone. No row: nothing.';
