{% from "macros/visible.j2" import may_see %}
CREATE OR REPLACE VIEW pgagent_py.visible_exception WITH (security_barrier) AS
SELECT e.jexid, e.jexscid, e.jexdate, e.jextime, e.jexscid AS jscid
  FROM pgagent_py.every_exception e
  JOIN pgagent.pga_schedule s ON s.jscid = e.jexscid
 WHERE {{ may_see("s.jscjobid", "pga_exception") }};

GRANT SELECT ON pgagent_py.visible_exception TO PUBLIC;

COMMENT ON VIEW pgagent_py.visible_exception IS
{% filter literal %}
The exceptions that the current role may see: all if it may read pga_exception, else those of jobs whose owner's
rights it has.

- jscid: the schedule. jexscid is the same.
- jexdate: NULL is every day.
- jextime: NULL is the whole day.
{% endfilter %};
