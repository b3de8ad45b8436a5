CREATE OR REPLACE VIEW pgagent_py.schedule_version AS
SELECT s.jscid, s.jscjobid, s.jscenabled, s.ctid AS s_ctid, s.xmin AS s_xmin, s.cmin AS s_cmin,
       -- Not a join, which takes longer for schedules without options.
       (SELECT (o.ctid, o.xmin, o.cmin)::text FROM pgagent_py.schedule_option o WHERE o.jscid = s.jscid) AS options,
       (SELECT z.value FROM pgagent_py.setting z WHERE z.name = 'timezone') AS default_zone,
       EXISTS (SELECT FROM pgagent.pga_exception e WHERE e.jexscid = s.jscid) AS exceptions
  FROM pgagent.pga_schedule s;

COMMENT ON VIEW pgagent_py.schedule_version IS
'Names the rows that each schedule_rule is made of: ctid, xmin and cmin are one version of a row (VACUUM FULL can give it the ctid '
'of an earlier one), so a rule once compiled in a session need not be read again, nor its 135 flags. exceptions: it hangs on more than '
'these rows. With a calendar it does, too; that shows when it is read, and attaching one makes a new version of the options.';
