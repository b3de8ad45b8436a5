CREATE TABLE pgagent_py.job_limit (
    jclid integer UNIQUE REFERENCES pgagent.pga_jobclass (jclid) ON DELETE CASCADE,
    jobgroup text UNIQUE,
    running integer NOT NULL CHECK (running > 0),
    CHECK (num_nonnulls(jclid, jobgroup) = 1)
);

-- It has no primary key, and a publication of all tables must not make its changes fail.
ALTER TABLE pgagent_py.job_limit REPLICA IDENTITY FULL;

COMMENT ON TABLE pgagent_py.job_limit IS
'How many jobs of a class, or of a group (job_option.jobgroup), may run at once, all launchers together. An agent that '
'claims jobs under a limit holds a lock on this table until the claim is committed.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_limit', '');
