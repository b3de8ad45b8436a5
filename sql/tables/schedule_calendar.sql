CREATE TABLE pgagent_py.schedule_calendar (
    -- Refers to the options: by their row version, a session notices that a rule it keeps has got or lost a calendar.
    jscid integer REFERENCES pgagent_py.schedule_option (jscid) ON DELETE CASCADE,
    calname text REFERENCES pgagent_py.calendar (calname) ON UPDATE CASCADE,
    calonly boolean NOT NULL DEFAULT false,
    PRIMARY KEY (jscid, calname)
);

CREATE INDEX schedule_calendar_calname ON pgagent_py.schedule_calendar (calname);

COMMENT ON TABLE pgagent_py.schedule_calendar IS
'Which calendars are attached to which schedules.';
COMMENT ON COLUMN pgagent_py.schedule_calendar.calonly IS
'true: the schedule fires on the calendar''s days only; of several such calendars, on the days of any. false: it fires '
'on none of them.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.schedule_calendar', '');
