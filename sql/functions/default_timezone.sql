CREATE OR REPLACE FUNCTION pgagent_py.default_timezone() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $sql$ SELECT s.value FROM pgagent_py.setting s WHERE s.name = 'timezone' $sql$;

COMMENT ON FUNCTION pgagent_py.default_timezone() IS
'Return the time zone that schedules without one of their own are read in. It was recorded when the extension was '
'created; set_default_timezone() changes it.';
