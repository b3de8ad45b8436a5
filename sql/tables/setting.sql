CREATE TABLE pgagent_py.setting (
    name text PRIMARY KEY,
    value text NOT NULL
);

COMMENT ON TABLE pgagent_py.setting IS
'Settings of the scheduler in this database. timezone: the wall clock of schedules that have no time zone of their own.';

-- Recorded once, since the TimeZone of the session that edits a job must not matter.
INSERT INTO pgagent_py.setting (name, value) VALUES ('timezone', pg_catalog.current_setting('TimeZone'));

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.setting', '');
