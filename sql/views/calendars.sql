CREATE OR REPLACE VIEW pgagent_py.calendars AS
SELECT c.calname AS name, c.caldesc AS description,
       ARRAY(SELECT d.calday FROM pgagent_py.calendar_day d WHERE d.calname = c.calname ORDER BY 1) AS days
  FROM pgagent_py.calendar c;

GRANT SELECT ON pgagent_py.calendars TO PUBLIC;

COMMENT ON VIEW pgagent_py.calendars IS
'All calendars, with their days. attach_calendar() attaches them to schedules.';
