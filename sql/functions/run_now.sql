-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.run_now(
    job integer, from_step integer DEFAULT NULL, parameters jsonb DEFAULT NULL
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('run_now', jsonb_build_object(
           'job', run_now.job,
           'from_step', run_now.from_step,
           'parameters', run_now.parameters::text))
$sql$;

COMMENT ON FUNCTION pgagent_py.run_now(integer, integer, jsonb) IS
'Make a job due now, as pgAdmin''s Run now does; its schedule goes on afterwards. Told while the job runs, it runs '
'once more. from_step (step id): begin there and leave out the steps before it, as after a failure. parameters: an object that '
'overrides, key by key, the job''s parameters for this run. '
'Error 22023 names the bad argument, 55000: the job is disabled.';
