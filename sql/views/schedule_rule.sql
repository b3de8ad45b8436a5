CREATE OR REPLACE VIEW pgagent_py.schedule_rule AS
SELECT s.jscid, s.jscjobid, s.jscenabled,
       {% for set in python_constant("ground.vocabulary.SETS") %}
       s.jsc{{ set }}::text AS jsc{{ set }},
       {% endfor %}
       extract(epoch FROM s.jscstart)::float8 AS jscstart, extract(epoch FROM s.jscend)::float8 AS jscend,
       coalesce(o.jsctimezone, (SELECT z.value FROM pgagent_py.setting z WHERE z.name = 'timezone')) AS jsctimezone,
       extract(epoch FROM o.jscevery)::int8 AS jscevery, extract(epoch FROM o.jscat)::float8 AS jscat,
       coalesce(o.jscreboot, false) AS jscreboot,
       e.days AS exception_days, e.minutes AS exception_minutes,
       c.blocked AS blocked_days, CASE WHEN c.has_only THEN coalesce(c.only, '{}') END AS only_days,
       e.days IS NOT NULL OR c.has_only IS NOT NULL AS varies,
       pgagent_py._micros(s.jscstart) AS start_micros, pgagent_py._micros(s.jscend) AS end_micros, pgagent_py._micros(o.jscat) AS at_micros,
       o.jscdays AS days, o.jscnth AS nth, o.jscworkdays AS workdays, o.jscroll AS roll, o.jscrecurs AS recurs,
       CASE WHEN o.jscworkdays IS NOT NULL OR o.jscroll IS NOT NULL THEN (
           SELECT CASE WHEN bool_or(k.calweekend IS NOT NULL) THEN array_remove(array_agg(DISTINCT w.day), NULL) END
             FROM pgagent_py.schedule_calendar a
             JOIN pgagent_py.calendar k ON k.calname = a.calname
             LEFT JOIN LATERAL unnest(k.calweekend) w (day) ON true
            WHERE a.jscid = o.jscid)
       END AS weekend,
       extract(epoch FROM o.jscspread)::int8 AS spread,
       CASE WHEN o.jscspread IS NOT NULL THEN {{ python_constant("ground.vocabulary.PRINTABLE").format("s.jscname") }} END AS jscname,
       CASE WHEN o.jscspread IS NOT NULL THEN (
           SELECT {{ python_constant("ground.vocabulary.PRINTABLE").format("j.jobname") }} FROM pgagent.pga_job j WHERE j.jobid = s.jscjobid) END AS jobname
  FROM pgagent.pga_schedule s
  LEFT JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid
 CROSS JOIN LATERAL (
       SELECT array_agg(x.jexdate - date '1970-01-01' ORDER BY x.jexid) AS days,
              array_agg(trunc(extract(epoch FROM x.jextime) / 60)::integer ORDER BY x.jexid) AS minutes
         FROM pgagent_py.every_exception x
        WHERE x.jexscid = s.jscid AND isfinite(coalesce(x.jexdate, date '1970-01-01'))) e
 CROSS JOIN LATERAL (
       SELECT bool_or(a.calonly) AS has_only,
              array_agg(d.calday - date '1970-01-01' ORDER BY d.calday) FILTER (WHERE NOT a.calonly AND d.calday IS NOT NULL)
                  AS blocked,
              array_agg(d.calday - date '1970-01-01' ORDER BY d.calday) FILTER (WHERE a.calonly AND d.calday IS NOT NULL)
                  AS only
         FROM pgagent_py.schedule_calendar a
         LEFT JOIN pgagent_py.calendar_day d ON d.calname = a.calname
        WHERE a.jscid = o.jscid) c;

COMMENT ON VIEW pgagent_py.schedule_rule IS
{% filter literal %}
Each schedule with all that decides when it fires, in the form that plpython/rules/next_run.py compiles. Sets of flags
are text. Times are epoch seconds, every is seconds. The columns with micros have
the exact times, NULL for an infinite one. Days count from 1970-01-01, minutes from midnight. varies: it has
exceptions or calendars, so rows that schedule_version does not identify can change it. weekend: the weekdays that its calendars
say are no working days, NULL when none says so. spread is seconds; jscname and jobname are there only with it.
{% endfilter %};
