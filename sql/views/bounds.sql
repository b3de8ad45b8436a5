CREATE OR REPLACE VIEW pgagent_py.bounds AS
SELECT d.name, NULL::name AS role, coalesce(b.bndvalue, d.value) AS value
  FROM (VALUES {% for name, value in python_constant("ground.vocabulary.BOUNDS").items() %}
{{ ", " if not loop.first }}('{{ name }}', {{ value }}::bigint){% endfor %}) d (name, value)
  LEFT JOIN pgagent_py.bound b ON b.bndname = d.name AND b.jobowner IS NULL
 UNION ALL
SELECT b.bndname, coalesce(r.rolname, b.jobowner), b.bndvalue
  FROM pgagent_py.bound b LEFT JOIN pg_roles r ON r.oid = b.jobownerid
 WHERE b.jobowner IS NOT NULL;

GRANT SELECT ON pgagent_py.bounds TO PUBLIC;

COMMENT ON VIEW pgagent_py.bounds IS
{% filter literal %}
How much a role may have, by default or as set_bound() has set it. Every role sees them.

- name: as in set_bound().
- role: the role. NULL: every role that has no row of its own.
- value: a number of things, or of bytes.
{% endfilter %};
