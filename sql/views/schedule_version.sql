CREATE OR REPLACE VIEW pgagent_py.schedule_version AS
SELECT s.jscid, s.jscjobid, s.jscenabled, s.ctid AS s_ctid, s.xmin AS s_xmin, s.cmin AS s_cmin,
       -- A join would take longer for schedules without options.
       (SELECT (o.ctid, o.xmin, o.cmin)::text FROM pgagent_py.schedule_option o WHERE o.jscid = s.jscid) AS options,
       (SELECT z.value FROM pgagent_py.setting z WHERE z.name = 'timezone') AS default_zone,
       EXISTS (SELECT FROM pgagent.pga_exception e WHERE e.jexscid = s.jscid) AS exceptions
  FROM pgagent.pga_schedule s;

COMMENT ON VIEW pgagent_py.schedule_version IS
{% filter literal %}
Identifies the row versions that a rule was compiled from, so that a session can use the rule again without reading
the schedule's 135 flags. A row version is ctid, xmin and cmin, since VACUUM FULL can give a row the ctid of an
earlier one. exceptions: the rule also depends on other rows, so it cannot be used again. The same is true of one with
calendars, or with exceptions in our own table; that is found when it is read. A calendar or an exception that comes or
goes makes a new version of the options.
{% endfilter %};
