-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.add_schedule(
    job integer, name text, cron text DEFAULT NULL, minutes integer[] DEFAULT NULL, hours integer[] DEFAULT NULL,
    weekdays integer[] DEFAULT NULL, monthdays integer[] DEFAULT NULL, months integer[] DEFAULT NULL, start timestamptz DEFAULT NULL,
    "end" timestamptz DEFAULT NULL, timezone text DEFAULT NULL, enabled boolean DEFAULT true, description text DEFAULT NULL,
    every interval DEFAULT NULL, at timestamptz DEFAULT NULL
) RETURNS SETOF integer
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT jsonb_array_elements(pgagent_py._ask('add_schedule', jsonb_build_object(
           'job', add_schedule.job,
           'name', add_schedule.name,
           'cron', add_schedule.cron,
           'minutes', add_schedule.minutes,
           'hours', add_schedule.hours,
           'weekdays', add_schedule.weekdays,
           'monthdays', add_schedule.monthdays,
           'months', add_schedule.months,
           'start', add_schedule.start,
           'end', add_schedule."end",
           'timezone', add_schedule.timezone,
           'enabled', add_schedule.enabled,
           'description', add_schedule.description,
           'every', add_schedule.every,
           'at', add_schedule.at)))::integer
$sql$;

COMMENT ON FUNCTION pgagent_py.add_schedule(integer, text, text, integer[], integer[], integer[], integer[], integer[], timestamptz, timestamptz, text, boolean, text, interval, timestamptz) IS
'Add a schedule. cron: five fields, names, ranges, steps, lists, L for the last day, @daily and its like, @reboot '
'(when a launcher starts). Or sets: minutes 0-59, hours 0-23, weekdays 0-6 from Sunday, monthdays 1-31 and 32 for the '
'last day, months 1-12; a set that is missing or empty means any, and it fires at the minutes that are in all five, '
'from start (default now) to end (inclusive), in the wall clock of timezone (default: default_timezone()). every: '
'each time so many whole seconds have passed since start. at: once. Returns the schedule id, two where cron restricts '
'both day fields, which means either. Error 22023 names the bad argument.';
