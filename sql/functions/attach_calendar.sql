-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.attach_calendar(
    schedule integer, calendar text, only_days boolean DEFAULT false
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('attach_calendar', jsonb_build_object(
           'schedule', attach_calendar.schedule,
           'calendar', attach_calendar.calendar,
           'only_days', attach_calendar.only_days))
$sql$;

COMMENT ON FUNCTION pgagent_py.attach_calendar(integer, text, boolean) IS
'Keep a schedule from firing on the days of a calendar, or, with only_days, on all other days; days are those of the '
'schedule''s wall clock. A schedule can have several. The job''s next run follows. Error 22023 names the bad '
'argument.';
