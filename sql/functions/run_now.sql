-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.run_now(
    job integer
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('run_now', jsonb_build_object(
           'job', run_now.job))
$sql$;

COMMENT ON FUNCTION pgagent_py.run_now(integer) IS
'Make a job due now, as pgAdmin''s Run now does; its schedule goes on afterwards. Told while the job runs, it runs '
'once more. Error 22023: there is no such job, 55000: it is disabled.';
