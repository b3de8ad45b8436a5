-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.pause(class text DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('pause', jsonb_build_object('class_', pause.class))
$sql$;

COMMENT ON FUNCTION pgagent_py.pause(text) IS
'Let no run start of the jobs of a class, or of any job when no class is given. Runs in progress go on; jobs that fall due, or are told '
'to run now, wait. Lasts until resume(), over restarts of launchers and server. Error 22023: there is no such class.';
