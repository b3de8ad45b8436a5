-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.alter_calendar(
    name text, add_days date[] DEFAULT '{}', drop_days date[] DEFAULT '{}', description text DEFAULT NULL
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('alter_calendar', jsonb_build_object(
           'name', alter_calendar.name,
           'add_days', alter_calendar.add_days,
           'drop_days', alter_calendar.drop_days,
           'description', alter_calendar.description))
$sql$;

COMMENT ON FUNCTION pgagent_py.alter_calendar(text, date[], date[], text) IS
'Add days to a calendar, drop some, or change its description; the next runs of the jobs that it is attached to '
'follow. Error 22023: there is no such calendar.';
