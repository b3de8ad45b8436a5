-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.detach_calendar(
    schedule integer, calendar text
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('detach_calendar', jsonb_build_object(
           'schedule', detach_calendar.schedule,
           'calendar', detach_calendar.calendar))
$sql$;

COMMENT ON FUNCTION pgagent_py.detach_calendar(integer, text) IS
'Take a calendar off a schedule; the job''s next run follows. Error 22023 names the bad argument.';
