CREATE OR REPLACE FUNCTION pgagent_py.steps_in_progress() RETURNS SETOF pgagent_py.step_run
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    RETURN QUERY SELECT s.* FROM pgagent_py.this_agent a CROSS JOIN LATERAL pgagent_py._steps_in_progress(a.agent) s;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.steps_in_progress() IS
'The steps that the agent of this backend has been handed out and that have no result yet: what a launcher compares with its own '
'list after it has lost its connection.';
