CREATE OR REPLACE FUNCTION pgagent_py._turn(capacity integer, finished pgagent_py.step_result[], local boolean, claim boolean)
RETURNS SETOF pgagent_py.step_run
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET intervalstyle = 'postgres'
-- Plans must not depend on statistics: the tables may have grown from nothing since the last ANALYZE.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS {{ python_call("jobs.run_due", "capacity", "finished", "local", "claim") }};

COMMENT ON FUNCTION pgagent_py._turn(integer, pgagent_py.step_result[], boolean, boolean) IS
'One turn of run_due for a backend that has registered as an agent; any other may not do this.';
