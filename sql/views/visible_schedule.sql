{% from "macros/visible.j2" import may_see %}
{% set flags %}{% for set in python_constant("ground.vocabulary.SETS") %}{{ ", " if not loop.first }}s.jsc{{ set }}::text{% endfor %}{% endset %}
CREATE OR REPLACE VIEW pgagent_py.visible_schedule WITH (security_barrier) AS
SELECT s.jscid, s.jscjobid, s.jscname, s.jscdesc, s.jscenabled, s.jscstart, s.jscend,
       {% for set, (first, last) in python_constant("ground.vocabulary.SETS").items() %}
       ARRAY(SELECT (n + {{ first - 1 }})::integer FROM unnest(s.jsc{{ set }}) WITH ORDINALITY f (flag, n) WHERE flag ORDER BY n) AS jsc{{ set }},
       {% endfor %}
       o.jsctimezone, s.jscjobid AS jobid,
       pgagent_py._schedule_words({{ flags }}, json_build_object(
           'every', o.jscevery::text, 'at', o.jscat::text, 'reboot', o.jscreboot, 'timezone', o.jsctimezone,
           'start', s.jscstart::text, 'end', s.jscend::text, 'days', o.jscdays, 'nth', o.jscnth, 'workdays', o.jscworkdays,
           'roll', o.jscroll, 'recurs', o.jscrecurs)::text) AS words,
       CASE WHEN o.jscreboot THEN '@reboot'
            WHEN num_nonnulls(o.jscevery, o.jscat, o.jscrecurs) = 0
            THEN pgagent_py._cron_text({{ flags }}, json_build_object(
                'days', o.jscdays, 'nth', o.jscnth, 'workdays', o.jscworkdays, 'roll', o.jscroll)::text) END AS cron
  FROM pgagent.pga_schedule s
  LEFT JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid
 WHERE {{ may_see("s.jscjobid", "pga_schedule") }};

GRANT SELECT ON pgagent_py.visible_schedule TO PUBLIC;

COMMENT ON VIEW pgagent_py.visible_schedule IS
{% filter literal %}
The schedules that the current role may see: all if it may read pga_schedule, else those of jobs whose owner's rights
it has.

- jobid: the job. jscjobid is the same.
- jscminutes, jschours, jscweekdays, jscmonthdays, jscmonths: the five sets as numbers, as in add_schedule(). An empty
  one means any.
- jsctimezone: NULL is the default, default_timezone().
- words: when it fires, in words.
- cron: when it fires, as a cron expression. NULL where it has none.
{% endfilter %};
