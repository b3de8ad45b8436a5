CREATE OR REPLACE FUNCTION pgagent_py.next_wake() RETURNS float8
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
-- What enable_seqscan = off makes look dear would be compiled, at half a second.
SET jit = off
AS {{ python_call("runs.wake.next_wake") }};

COMMENT ON FUNCTION pgagent_py.next_wake() IS
'Seconds until the agent of this backend should call run_due again, unless it is notified (channel pgagent_py) or has a result '
'before: when its next job falls due, a waiting run may go on, or another agent''s jobs may have to be closed. NULL: not foreseen.';
