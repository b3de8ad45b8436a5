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

COMMENT ON VIEW pgagent_py.visible_schedule IS
'The schedules: all for who may read pgagent.pga_schedule, else those of the jobs whose owner''s rights the current role has. The sets as numbers, as add_schedule() takes them; an empty one means any.';
