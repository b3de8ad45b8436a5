CREATE OR REPLACE FUNCTION pgagent_py._run_here(agent uuid) RETURNS SETOF pgagent_py.step_run
LANGUAGE plpython3u VOLATILE
SET search_path = pg_catalog, pg_temp
AS {{ python_call("runs.run_here.run_here", "agent") }};

COMMENT ON FUNCTION pgagent_py._run_here(uuid) IS
'run_due() with capacity 0, in a backend that is registered as an agent. SQL steps are executed with the caller''s '
'rights.';
