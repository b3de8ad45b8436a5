-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.resume(class text DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('resume', jsonb_build_object('class_', resume.class))
$sql$;

COMMENT ON FUNCTION pgagent_py.resume(text) IS
'End the pause of a class, or that of everything when no class is given; a class that was paused by itself stays so. Jobs that have '
'fallen due meanwhile run once. Error 22023: there is no such class, 55000: it is not paused.';
