{% from "macros/visible.j2" import may_see %}
CREATE OR REPLACE VIEW pgagent_py.visible_schedule WITH (security_barrier) AS
SELECT s.jscid, s.jscjobid, s.jscname, s.jscdesc, s.jscenabled, s.jscstart, s.jscend,
       {% for set, (first, last) in python_constant("ground.vocabulary.SETS").items() %}
       ARRAY(SELECT (n + {{ first - 1 }})::integer FROM unnest(s.jsc{{ set }}) WITH ORDINALITY f (flag, n) WHERE flag ORDER BY n) AS jsc{{ set }},
       {% endfor %}
       o.jsctimezone, s.jscjobid AS jobid
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
{% endfilter %};
