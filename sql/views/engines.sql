{% from "macros/visible.j2" import takes_part %}
{% set engines = python_constant("ground.vocabulary.ENGINES") %}
CREATE OR REPLACE VIEW pgagent_py.engines WITH (security_barrier) AS
SELECT coalesce(e.engname, d.name) AS engine, coalesce(e.engoptions, d.options) AS allowed_options,
       coalesce(e.engenabled, true) AS enabled
  FROM (VALUES ('{{ python_constant("ground.vocabulary.LOCAL_ENGINE") }}', '{}'::text[])
{%- for name, options in engines.items() %}, ('{{ name }}', '{ {{- options | join(",") -}} }'::text[]){% endfor %}) d (name, options)
  FULL JOIN pgagent_py.engine e ON e.engname = d.name
 WHERE {{ takes_part("pga_job") }};

GRANT SELECT ON pgagent_py.engines TO PUBLIC;

COMMENT ON VIEW pgagent_py.engines IS
{% filter literal %}
Where batch steps may be executed: by default, or as set_engine() has set it. For members of the
roles pgagent_py_... and roles that may read pga_job.

- engine: the name, for add_step() and alter_step(). local is the launcher itself.
- allowed_options: what engine_options may have.
- enabled: whether steps may use it.
{% endfilter %};
