CREATE OR REPLACE FUNCTION pgagent_py.steps_in_progress() RETURNS SETOF pgagent_py.step_run
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    RETURN QUERY SELECT s.* FROM pgagent_py.this_agent a CROSS JOIN LATERAL pgagent_py._steps_in_progress(a.agent) s;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.steps_in_progress() IS
'Return the steps that this backend''s agent has been handed out and that have no result yet. After it has lost its '
'connection, a launcher compares them with the steps that it executes.';
