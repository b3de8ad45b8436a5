CREATE OR REPLACE VIEW pgagent_py.schedule_version AS
SELECT s.jscid, s.jscjobid, s.jscenabled, s.ctid AS s_ctid, s.xmin AS s_xmin, s.cmin AS s_cmin,
       o.ctid AS o_ctid, o.xmin AS o_xmin, o.cmin AS o_cmin,
       (SELECT z.value FROM pgagent_py.setting z WHERE z.name = 'timezone') AS default_zone,
       EXISTS (SELECT FROM pgagent.pga_exception e WHERE e.jexscid = s.jscid)
       OR o.jscid IS NOT NULL AND EXISTS (SELECT FROM pgagent_py.schedule_calendar c WHERE c.jscid = s.jscid) AS varies
  FROM pgagent.pga_schedule s
  LEFT JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid;

COMMENT ON VIEW pgagent_py.schedule_version IS
'Names the rows that each schedule_rule is made of: ctid, xmin and cmin are one version of a row (VACUUM FULL can give it the ctid '
'of an earlier one), so a rule once compiled in a session need not be read again, nor its 135 flags. varies: it hangs on more than these rows.';
