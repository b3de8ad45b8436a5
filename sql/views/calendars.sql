{% from "macros/visible.j2" import edits_all, watches %}
{% set near = 90 %}
CREATE OR REPLACE VIEW pgagent_py.calendars WITH (security_barrier) AS
SELECT c.calname AS name, c.caldesc AS description,
       ARRAY(SELECT d.calday FROM pgagent_py.calendar_day d WHERE d.calname = c.calname ORDER BY 1) AS days,
       c.calweekend AS weekend, l.last_day,
       CASE WHEN l.last_day < current_date THEN 'its last day is past: add those that follow'
            WHEN l.last_day < current_date + {{ near }} THEN 'its last day is near: add those that follow' END AS warning
  FROM pgagent_py.calendar c
 CROSS JOIN LATERAL (SELECT max(d.calday) AS last_day FROM pgagent_py.calendar_day d WHERE d.calname = c.calname) l
 WHERE (SELECT EXISTS (SELECT FROM pg_roles g WHERE g.rolname = 'pgagent_py_user' AND pg_has_role(g.oid, 'MEMBER'))) OR {{ edits_all() }}
    OR {{ watches() }};

GRANT SELECT ON pgagent_py.calendars TO PUBLIC;

COMMENT ON VIEW pgagent_py.calendars IS
{% filter literal %}
All calendars, with their days, for members of pgagent_py_user, pgagent_py_monitor and pgagent_py_operator, and roles
that may edit pgagent's tables. attach_calendar() attaches them to schedules.

- weekend: the weekdays that are no working days. NULL: the calendar says nothing of it.
- last_day: the last of its days.
- warning: its last day is past, or within the next {{ near }} days.
{% endfilter %};
