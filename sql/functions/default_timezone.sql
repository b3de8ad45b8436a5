CREATE OR REPLACE FUNCTION pgagent_py.default_timezone() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $sql$ SELECT s.value FROM pgagent_py.setting s WHERE s.name = 'timezone' $sql$;

COMMENT ON FUNCTION pgagent_py.default_timezone() IS
'The time zone that schedules without one of their own are read in: recorded when the extension was created, changed by '
'set_default_timezone().';
