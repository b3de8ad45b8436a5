-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.purge_history(jobs integer DEFAULT NULL) RETURNS integer
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $sql$
    SELECT pgagent_py._ask('purge_history', jsonb_build_object('jobs', purge_history.jobs))::integer
$sql$;

COMMENT ON FUNCTION pgagent_py.purge_history(integer) IS
'Delete runs that the rules of set_retention() and alter_job(keep_runs, keep_for) do not keep, some hundred at most; returns how '
'many, 0 when none is left. Runs in progress, and the last one of each job, stay. jobs: look at so many jobs only, going on '
'where the session''s last such call ended, as launchers do. Error 42501: the role may not run jobs.';
