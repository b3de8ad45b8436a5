CREATE OR REPLACE VIEW pgagent_py.step_need AS
SELECT NULL::integer AS jobid, NULL::integer AS jstid, NULL::text AS need WHERE false;

COMMENT ON VIEW pgagent_py.step_need IS
{% filter literal %}
What steps need their agent to know, a row for each need. A job with a step that needs something is claimed only by an
agent that has named it (start_agent, knows). A new kind of step adds its rows here. There is none yet, so the planner
leaves the view out of the claim.
{% endfilter %};
