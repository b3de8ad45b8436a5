CREATE TABLE pgagent_py.calendar (
    calname text PRIMARY KEY,
    caldesc text NOT NULL DEFAULT ''
);

COMMENT ON TABLE pgagent_py.calendar IS
'Named sets of dates, for example public holidays. A schedule with a calendar does not fire on these dates, or on these '
'dates only.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.calendar', '');
