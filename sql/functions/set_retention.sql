-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.set_retention(keep_runs integer DEFAULT NULL, keep_for interval DEFAULT NULL) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
SET intervalstyle = 'postgres'
AS $sql$
    SELECT pgagent_py._ask('set_retention', jsonb_build_object(
           'keep_runs', set_retention.keep_runs, 'keep_for', set_retention.keep_for))
$sql$;

COMMENT ON FUNCTION pgagent_py.set_retention(integer, interval) IS
'How much history launchers keep of each job that alter_job() has set no limit for: its last keep_runs runs, and no runs that '
'started longer ago than keep_for. NULL leaves as it is, 0 means no limit. Error 22023 names the bad argument.';
