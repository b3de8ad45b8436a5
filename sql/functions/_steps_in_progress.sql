CREATE OR REPLACE FUNCTION pgagent_py._steps_in_progress(agent uuid) RETURNS SETOF pgagent_py.step_run
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{ python_call("runs.hand_out.steps_in_progress", "agent", first="ground.foreign.refuse_here") }};

COMMENT ON FUNCTION pgagent_py._steps_in_progress(uuid) IS
'steps_in_progress() of the agent that this backend is registered as.';
