CREATE TABLE pgagent_py.job_dependency (
    jobid integer REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobafter integer REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    depwhen text NOT NULL CHECK (depwhen IN ('success', 'failure', 'finish')),
    PRIMARY KEY (jobid, jobafter)
);

CREATE INDEX job_dependency_jobafter ON pgagent_py.job_dependency (jobafter);

COMMENT ON TABLE pgagent_py.job_dependency IS
'Jobs (jobid) that start when others (jobafter) have ended as depwhen says. A job with several rows waits for all of '
'them.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_dependency', '');
