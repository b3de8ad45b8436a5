-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.stop_agent() RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('stop_agent', '{}')
$sql$;

COMMENT ON FUNCTION pgagent_py.stop_agent() IS
'Remove the agent that this backend is registered as; runs that it still has in progress are closed as aborted.';
