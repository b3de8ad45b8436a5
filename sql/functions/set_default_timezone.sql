-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.set_default_timezone(
    timezone text
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('set_default_timezone', jsonb_build_object(
           'timezone', set_default_timezone.timezone))
$sql$;

COMMENT ON FUNCTION pgagent_py.set_default_timezone(text) IS
'Change the time zone that schedules without one of their own are read in; the next runs follow. Error 22023: unknown '
'time zone.';
