-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.drop_job(
    job integer
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('drop_job', jsonb_build_object(
           'job', drop_job.job))
$sql$;

COMMENT ON FUNCTION pgagent_py.drop_job(integer) IS
'Delete a job with its steps, schedules and history. Error 22023: there is no such job.';
