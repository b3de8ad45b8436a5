CREATE TABLE pgagent_py.calendar_day (
    calname text REFERENCES pgagent_py.calendar (calname) ON UPDATE CASCADE ON DELETE CASCADE,
    calday date CHECK (isfinite(calday)),
    PRIMARY KEY (calname, calday)
);

COMMENT ON TABLE pgagent_py.calendar_day IS
'The dates of each calendar. They are read in the wall clock of the schedule that it is attached to.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.calendar_day', '');
