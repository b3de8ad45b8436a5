CREATE TABLE pgagent_py.applied_job (
    jobid integer PRIMARY KEY REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobsource text NOT NULL
);

COMMENT ON TABLE pgagent_py.applied_job IS
'The jobs that import_jobs() has added for a source, for example a folder of files. Only these it may drop as left over.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.applied_job', '');
