CREATE TABLE pgagent_py.schedule_option (
    jscid integer PRIMARY KEY REFERENCES pgagent.pga_schedule (jscid) ON DELETE CASCADE,
    jsctimezone text,
    jscevery interval,
    jscat timestamptz,
    jscreboot boolean NOT NULL DEFAULT false
);

COMMENT ON TABLE pgagent_py.schedule_option IS
'Options of schedules that pgagent.pga_schedule has no column for. No row: no option set.';
COMMENT ON COLUMN pgagent_py.schedule_option.jsctimezone IS
'Time zone whose wall clock the schedule is read in. NULL: the database''s default (pgagent_py.default_timezone()).';
COMMENT ON COLUMN pgagent_py.schedule_option.jscevery IS
'It fires each time this has passed since jscstart, at whole seconds; its five sets still say when it may.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscat IS 'It fires once, then.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscreboot IS 'It fires when a launcher starts, and at no time.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.schedule_option', '');
