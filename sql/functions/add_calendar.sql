-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.add_calendar(
    name text, days date[] DEFAULT '{}', description text DEFAULT NULL
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('add_calendar', jsonb_build_object(
           'name', add_calendar.name,
           'days', add_calendar.days,
           'description', add_calendar.description))
$sql$;

COMMENT ON FUNCTION pgagent_py.add_calendar(text, date[], text) IS
'Add a calendar: a named set of days, such as public holidays, to be attached to schedules. Error 22023 names the bad '
'argument, 42710: the name is taken.';
