-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.set_notify_runs(enabled boolean) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('set_notify_runs', jsonb_build_object('enabled', set_notify_runs.enabled))
$sql$;

COMMENT ON FUNCTION pgagent_py.set_notify_runs(boolean) IS
'Switch on or off that each start and end of a run is notified on channel pgagent_py_run, with a JSON object as payload: event '
'(start, end), job, name, run, status, start, seconds.';
