CREATE TABLE pgagent_py.job_limit (
    jclid integer UNIQUE REFERENCES pgagent.pga_jobclass (jclid) ON DELETE CASCADE,
    jobgroup text UNIQUE,
    running integer CHECK (running > 0),
    jobowner name UNIQUE,
    jobownerid oid,
    priority integer,
    jobwindow text CHECK (jobwindow <> ''),
    CHECK (num_nonnulls(jclid, jobgroup, jobowner) = 1)
);

-- It has no primary key, and a publication of all tables must not make its changes fail.
ALTER TABLE pgagent_py.job_limit REPLICA IDENTITY FULL;

COMMENT ON TABLE pgagent_py.job_limit IS
'How many jobs of a class, of a group (job_option.jobgroup) or of an owner may run at once, all launchers together. An agent that '
'claims jobs under a limit holds a lock on this table until the claim is committed.';

COMMENT ON COLUMN pgagent_py.job_limit.jobownerid IS
'The id of jobowner. It counts, not the name.';
COMMENT ON COLUMN pgagent_py.job_limit.priority IS
'Of an owner: the jobs of owners with a higher number start first. NULL: 0.';
COMMENT ON COLUMN pgagent_py.job_limit.jobwindow IS
'Of a class: the windows in which runs of its jobs may start, as in job_option. NULL: at any time.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_limit', '');
