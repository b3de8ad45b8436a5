CREATE OR REPLACE VIEW pgagent_py.schedule_rule AS
SELECT s.jscid, s.jscjobid, s.jscenabled,
       s.jscminutes::text AS jscminutes, s.jschours::text AS jschours, s.jscweekdays::text AS jscweekdays,
       s.jscmonthdays::text AS jscmonthdays, s.jscmonths::text AS jscmonths,
       extract(epoch FROM s.jscstart)::float8 AS jscstart, extract(epoch FROM s.jscend)::float8 AS jscend,
       coalesce(o.jsctimezone, (SELECT z.value FROM pgagent_py.setting z WHERE z.name = 'timezone')) AS jsctimezone,
       e.days AS exception_days, e.minutes AS exception_minutes
  FROM pgagent.pga_schedule s
  LEFT JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid
 CROSS JOIN LATERAL (
       SELECT array_agg(x.jexdate - date '1970-01-01' ORDER BY x.jexid) AS days,
              array_agg(trunc(extract(epoch FROM x.jextime) / 60)::integer ORDER BY x.jexid) AS minutes
         FROM pgagent.pga_exception x
        WHERE x.jexscid = s.jscid AND isfinite(coalesce(x.jexdate, date '1970-01-01'))) e;

COMMENT ON VIEW pgagent_py.schedule_rule IS
'Each schedule with all that its firing times hang on, in the form that plpython/next_run.py compiles: the flag arrays as text, '
'start and end in epoch seconds, its time zone or the database''s default, exceptions as days since 1970 and minutes of the day.';
