CREATE TABLE pgagent_py.schedule_option (
    jscid integer PRIMARY KEY REFERENCES pgagent.pga_schedule (jscid) ON DELETE CASCADE,
    jsctimezone text
);

COMMENT ON TABLE pgagent_py.schedule_option IS
'Options of schedules that pgagent.pga_schedule has no column for. No row: no option set.';
COMMENT ON COLUMN pgagent_py.schedule_option.jsctimezone IS
'Time zone whose wall clock the schedule is read in. NULL: the database''s default (pgagent_py.timezone()).';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.schedule_option', '');
