{% from "macros/visible.j2" import may_see %}
{% from "macros/words.j2" import on_error, step_kind %}
CREATE OR REPLACE VIEW pgagent_py.visible_step WITH (security_barrier) AS
SELECT s.jstid, s.jstjobid, s.jstname, s.jstdesc, s.jstenabled, {{ step_kind("s.jstkind") }} AS jstkind,
       s.jstcode, s.jstdbname, s.jstconnstr,
       {{ on_error("s.jstonerror") }} AS jstonerror,
       coalesce(o.jstatomic, false) AS jstatomic, s.jstjobid AS jobid
  FROM pgagent.pga_jobstep s
  LEFT JOIN pgagent_py.step_option o ON o.jstid = s.jstid
 WHERE {{ may_see("s.jstjobid", "pga_jobstep") }};

COMMENT ON VIEW pgagent_py.visible_step IS
'The steps with their code: all for who may read pgagent.pga_jobstep, else those of the jobs whose owner''s rights the current role has.';
