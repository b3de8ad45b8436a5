{% from "macros/visible.j2" import may_see %}
CREATE OR REPLACE VIEW pgagent_py.visible_schedule_rule WITH (security_barrier) AS
SELECT r.* FROM pgagent_py.schedule_rule r WHERE {{ may_see("r.jscjobid", "pga_schedule", "pga_exception") }};

COMMENT ON VIEW pgagent_py.visible_schedule_rule IS 'schedule_rule: all for who may read pgagent.pga_schedule and pga_exception, else of the jobs whose owner''s rights the current role has.';
