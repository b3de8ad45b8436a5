CREATE OR REPLACE VIEW pgagent_py.paused AS
SELECT c.jclname AS class, p.paused_since, p.paused_by
  FROM pgagent_py.pause p LEFT JOIN pgagent.pga_jobclass c ON c.jclid = p.jclid;

GRANT SELECT ON pgagent_py.paused TO PUBLIC;

COMMENT ON VIEW pgagent_py.paused IS
{% filter literal %}
What pause() has paused. Every role sees it.

- class: the job class. NULL: all jobs.
- paused_since, paused_by: when, and by which role.
{% endfilter %};
