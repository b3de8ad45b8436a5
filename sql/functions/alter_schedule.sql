-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.alter_schedule(
    schedule integer, name text DEFAULT NULL, cron text DEFAULT NULL, minutes integer[] DEFAULT NULL, hours integer[] DEFAULT NULL,
    weekdays integer[] DEFAULT NULL, monthdays integer[] DEFAULT NULL, months integer[] DEFAULT NULL, start timestamptz DEFAULT NULL,
    "end" timestamptz DEFAULT NULL, timezone text DEFAULT NULL, enabled boolean DEFAULT NULL, description text DEFAULT NULL,
    every interval DEFAULT NULL, at timestamptz DEFAULT NULL
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('alter_schedule', jsonb_build_object(
           'schedule', alter_schedule.schedule,
           'name', alter_schedule.name,
           'cron', alter_schedule.cron,
           'minutes', alter_schedule.minutes,
           'hours', alter_schedule.hours,
           'weekdays', alter_schedule.weekdays,
           'monthdays', alter_schedule.monthdays,
           'months', alter_schedule.months,
           'start', alter_schedule.start,
           'end', alter_schedule."end",
           'timezone', alter_schedule.timezone,
           'enabled', alter_schedule.enabled,
           'description', alter_schedule.description,
           'every', alter_schedule.every,
           'at', alter_schedule.at))
$sql$;

COMMENT ON FUNCTION pgagent_py.alter_schedule(integer, text, text, integer[], integer[], integer[], integer[], integer[], timestamptz, timestamptz, text, boolean, text, interval, timestamptz) IS
'Change a schedule; NULL leaves as it is, the arguments are those of add_schedule. What takes an option away: '''' '
'the timezone, ''0'' every, ''infinity'' at and end, ''{}'' a set. Of cron, every and at, the one that is given takes the place of the '
'others; the sets stay, unless they or cron are given. The job''s next run follows. Error 22023 names the '
'bad argument.';
