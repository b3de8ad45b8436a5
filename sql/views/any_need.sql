CREATE OR REPLACE VIEW pgagent_py.any_need AS
SELECT true AS needed FROM pgagent_py.job_option o WHERE o.joblabels IS NOT NULL
 UNION ALL
SELECT true FROM pgagent_py.step_option o WHERE o.jstengine IS NOT NULL OR o.jstseparately;

COMMENT ON VIEW pgagent_py.any_need IS
'Has a row if the view step_need may have one. Claims look here first: that takes no time where no job needs anything.';
