CREATE TABLE pgagent_py.calendar (
    calname text PRIMARY KEY,
    caldesc text NOT NULL DEFAULT ''
);

COMMENT ON TABLE pgagent_py.calendar IS
'Named sets of dates, such as public holidays: schedules that one is attached to do not fire on them, or on them alone.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.calendar', '');
