{% from "macros/visible.j2" import takes_part %}
CREATE OR REPLACE VIEW pgagent_py.visibility WITH (security_barrier) AS
SELECT {{ takes_part("pga_jobagent") }} AS launchers, {{ takes_part("pga_job") }} AS pauses;

GRANT SELECT ON pgagent_py.visibility TO PUBLIC;

COMMENT ON VIEW pgagent_py.visibility IS
{% filter literal %}
Which views have rows for the current role at all. Where it says false, an empty view tells nothing.

- launchers: the view launchers.
- pauses: the views paused, windows, limits and engines.
{% endfilter %};
