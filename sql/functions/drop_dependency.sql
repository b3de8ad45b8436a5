-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.drop_dependency(job integer, after integer) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('drop_dependency', jsonb_build_object(
           'job', drop_dependency.job,
           'after', drop_dependency.after))
$sql$;

COMMENT ON FUNCTION pgagent_py.drop_dependency(integer, integer) IS
'Let a job not wait for the job after any more. Error 42704: it does not.';
