{% from "macros/visible.j2" import may_see %}
CREATE OR REPLACE VIEW pgagent_py.visible_schedule_rule WITH (security_barrier) AS
SELECT r.* FROM pgagent_py.schedule_rule r WHERE {{ may_see("r.jscjobid", "pga_schedule", "pga_exception") }};

GRANT SELECT ON pgagent_py.visible_schedule_rule TO PUBLIC;

COMMENT ON VIEW pgagent_py.visible_schedule_rule IS
'schedule_rule as the current role may see it: all if it may read pga_schedule and pga_exception, else those of jobs '
'whose owner''s rights it has.';
