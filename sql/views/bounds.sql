{% from "macros/visible.j2" import sees_all %}
CREATE OR REPLACE VIEW pgagent_py.bounds WITH (security_barrier) AS
SELECT d.name, NULL::name AS role, coalesce(b.bndvalue, d.value) AS value
  FROM (VALUES {% for name, value in python_constant("ground.vocabulary.BOUNDS").items() %}
{{ ", " if not loop.first }}('{{ name }}', {{ value }}::bigint){% endfor %}) d (name, value)
  LEFT JOIN pgagent_py.bound b ON b.bndname = d.name AND b.jobowner IS NULL
 WHERE {{ sees_all("pga_job") }}
    OR EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobowner IS NOT NULL AND pg_has_role(o.jobownerid, 'USAGE'))
 UNION ALL
SELECT b.bndname, coalesce(r.rolname, b.jobowner), b.bndvalue
  FROM pgagent_py.bound b LEFT JOIN pg_roles r ON r.oid = b.jobownerid
 WHERE b.jobowner IS NOT NULL AND ({{ sees_all("pga_job") }} OR pg_has_role(b.jobownerid, 'USAGE'));

GRANT SELECT ON pgagent_py.bounds TO PUBLIC;

COMMENT ON VIEW pgagent_py.bounds IS
{% filter literal %}
How much a role may have, by default or as set_bound() has set it. A role that may read pga_job sees all, a role that
has jobs those that count for it.

- name: as in set_bound().
- role: the role. NULL: every role that has no row of its own.
- value: a number of things, or of bytes.
{% endfilter %};
