{% from "macros/visible.j2" import edits_all, watches %}
CREATE OR REPLACE VIEW pgagent_py.calendars WITH (security_barrier) AS
SELECT c.calname AS name, c.caldesc AS description,
       ARRAY(SELECT d.calday FROM pgagent_py.calendar_day d WHERE d.calname = c.calname ORDER BY 1) AS days
  FROM pgagent_py.calendar c
 WHERE (SELECT EXISTS (SELECT FROM pg_roles g WHERE g.rolname = 'pgagent_py_user' AND pg_has_role(g.oid, 'MEMBER'))) OR {{ edits_all() }}
    OR {{ watches() }};

GRANT SELECT ON pgagent_py.calendars TO PUBLIC;

COMMENT ON VIEW pgagent_py.calendars IS
'All calendars, with their days, for members of pgagent_py_user, pgagent_py_monitor and pgagent_py_operator, and roles '
'that may edit pgagent''s tables. attach_calendar() attaches them to schedules.';
