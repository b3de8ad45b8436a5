-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.drop_calendar(
    name text
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('drop_calendar', jsonb_build_object(
           'name', drop_calendar.name))
$sql$;

COMMENT ON FUNCTION pgagent_py.drop_calendar(text) IS
'Delete a calendar. Error 22023: there is none of this name, 2BP01: it is attached to a schedule.';
