CREATE OR REPLACE FUNCTION pgagent_py._backend_start() RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    -- each turn asks, and SQL would be parsed for each call
    RETURN (SELECT s.backend_start FROM pg_stat_get_activity(pg_backend_pid()) s);
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._backend_start() IS
'When this backend has started: with its pid, that tells it from an earlier one. pg_stat_activity hides it from roles '
'that have not logged in themselves.';
