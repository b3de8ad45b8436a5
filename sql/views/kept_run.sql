CREATE OR REPLACE VIEW pgagent_py.kept_run AS
SELECT r.jlgid, r.jobid, r.agent, false AS executing, NULL::text AS engine
  FROM pgagent_py.draining d
 CROSS JOIN LATERAL (SELECT r.* FROM pgagent_py.run r WHERE r.agent = ANY (ARRAY[d.agent]) AND r.jslid IS NULL) r
 UNION ALL
SELECT r.jlgid, r.jobid, r.agent, true, r.engine
  FROM pgagent_py.run r
 WHERE r.engine IS NOT NULL AND r.jslid IS NOT NULL;

COMMENT ON VIEW pgagent_py.kept_run IS
{% filter literal %}
Runs that do not end with their agent: another one takes them over. They are the runs of a draining agent that wait for
their next step, and those with a step on an engine that goes on without the agent (executing).
{% endfilter %};
