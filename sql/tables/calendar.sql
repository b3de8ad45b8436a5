CREATE TABLE pgagent_py.calendar (
    calname text PRIMARY KEY,
    caldesc text NOT NULL DEFAULT '',
    calweekend integer[] CHECK (calweekend <@ '{0,1,2,3,4,5,6}')
);

COMMENT ON TABLE pgagent_py.calendar IS
'Named sets of dates, for example public holidays. A schedule with a calendar does not fire on these dates, or on these '
'dates only.';

COMMENT ON COLUMN pgagent_py.calendar.calweekend IS
'The weekdays that are no working days, 0 to 6 from Sunday. NULL: the calendar says nothing of it.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.calendar', '');
