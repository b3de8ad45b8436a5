-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.cancel_run(run integer) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('cancel_run', jsonb_build_object('run', cancel_run.run))
$sql$;

COMMENT ON FUNCTION pgagent_py.cancel_run(integer) IS
'End a run in progress (jlgid in pgagent.pga_joblog): once this is committed, the launcher that executes it stops its SQL or batch step, '
'within a second, and logs run and step as aborted; the job goes on with its schedule. Error 22023: there is no such run, 55000: it '
'has ended, or pgAgent''s own daemon executes it.';
