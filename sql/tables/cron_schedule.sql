CREATE TABLE pgagent_py.cron_schedule (
    jscid integer PRIMARY KEY REFERENCES pgagent.pga_schedule (jscid) ON DELETE CASCADE
);

COMMENT ON TABLE pgagent_py.cron_schedule IS
'The schedules that cron of add_job() or alter_job() has made: alter_job() may replace them.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.cron_schedule', '');
