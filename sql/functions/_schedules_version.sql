CREATE OR REPLACE FUNCTION pgagent_py._schedules_version(job integer) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT string_agg((v.jscid, v.s_ctid, v.s_xmin, v.s_cmin, v.options, v.default_zone)::text, ',' ORDER BY v.jscid)
      FROM pgagent_py.schedule_version v WHERE v.jscjobid = _schedules_version.job AND v.jscenabled
$sql$;

COMMENT ON FUNCTION pgagent_py._schedules_version(integer) IS
'Identifies the enabled schedules of a job as they are now, with their options, calendars, exceptions and time zone.';
