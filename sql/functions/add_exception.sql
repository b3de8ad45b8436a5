-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.add_exception(
    schedule integer, on_date date DEFAULT NULL, at_time time DEFAULT NULL
) RETURNS integer
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('add_exception', jsonb_build_object(
           'schedule', add_exception.schedule,
           'on_date', add_exception.on_date,
           'at_time', add_exception.at_time))::integer
$sql$;

COMMENT ON FUNCTION pgagent_py.add_exception(integer, date, time) IS
'Keep a schedule from firing: on a whole date, at a time (minute) of every day, or at that time of that date, by its '
'wall clock. Returns the exception id. Error 22023 names the bad argument, 23505: pgAgent''s tables hold this date '
'and time already.';
