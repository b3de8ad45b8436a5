CREATE TABLE pgagent_py.schedule_option (
    jscid integer PRIMARY KEY REFERENCES pgagent.pga_schedule (jscid) ON DELETE CASCADE,
    jsctimezone text,
    jscevery interval,
    jscat timestamptz,
    jscreboot boolean NOT NULL DEFAULT false
);

COMMENT ON TABLE pgagent_py.schedule_option IS
'Options of schedules for which pga_schedule has no column. A schedule without a row has no options.';
COMMENT ON COLUMN pgagent_py.schedule_option.jsctimezone IS
'The time zone in whose wall clock the schedule is read. NULL: the database''s default, default_timezone().';
COMMENT ON COLUMN pgagent_py.schedule_option.jscevery IS
'It fires each time that this has passed since jscstart, at whole seconds. Its five sets still say when it may.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscat IS
'It fires once, at this time.';
COMMENT ON COLUMN pgagent_py.schedule_option.jscreboot IS
'It fires when a launcher starts, and at no other time.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.schedule_option', '');
