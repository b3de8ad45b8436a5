CREATE OR REPLACE FUNCTION pgagent_py._backend_start() RETURNS timestamptz
LANGUAGE plpython3u STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{ python_call("ground.backend.backend_start") }};

COMMENT ON FUNCTION pgagent_py._backend_start() IS
'When this backend has started: with its pid, that tells it from an earlier one. pg_stat_activity hides it from roles '
'that have not logged in themselves.';
