CREATE TABLE pgagent_py.job_option (
    jobid integer PRIMARY KEY REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobkeepruns integer CHECK (jobkeepruns > 0),
    jobkeepfor interval CHECK (jobkeepfor > interval '0')
);

COMMENT ON TABLE pgagent_py.job_option IS 'Options of jobs that pgagent.pga_job has no column for. No row: no option set.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_option', '');
