{% from "macros/visible.j2" import takes_part %}
CREATE OR REPLACE VIEW pgagent_py.paused WITH (security_barrier) AS
SELECT c.jclname AS class, p.paused_since, p.paused_by, p.paused_from AS "from", p.paused_until AS until,
       coalesce(p.paused_from, '-infinity') <= now() AS begun
  FROM pgagent_py.pause p LEFT JOIN pgagent.pga_jobclass c ON c.jclid = p.jclid
 WHERE {{ python_constant("ground.vocabulary.NOT_OVER") }} AND {{ takes_part("pga_job") }};

GRANT SELECT ON pgagent_py.paused TO PUBLIC;

COMMENT ON VIEW pgagent_py.paused IS
{% filter literal %}
What pause() has paused, for members of the roles pgagent_py_... and roles that may read pga_job.

- class: the job class. NULL: all jobs.
- paused_since, paused_by: when it was called, and by which role.
- from, until: when the pause begins, and when it is over by itself. NULL: at once, and never.
- begun: false: it begins later.
{% endfilter %};
