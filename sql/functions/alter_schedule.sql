-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.alter_schedule(
    schedule integer, timezone text DEFAULT NULL
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('alter_schedule', jsonb_build_object(
           'schedule', alter_schedule.schedule,
           'timezone', alter_schedule.timezone))
$sql$;

COMMENT ON FUNCTION pgagent_py.alter_schedule(integer, text) IS
'Change options of a schedule; NULL leaves as it is. timezone: wall clock that it is read in, '''' for the '
'database''s default. The job''s next run follows. Error 22023 names the bad argument.';
