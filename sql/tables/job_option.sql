CREATE TABLE pgagent_py.job_option (
    jobid integer PRIMARY KEY REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobowner name,
    jobownerid oid,
    jobrunas name,
    jobrunasid oid,
    CHECK (jobowner IS NOT NULL OR jobrunas IS NULL),
    jobtimeout interval CHECK (jobtimeout > '0'),
    jobmaxlateness interval CHECK (jobmaxlateness > '0'),
    jobpriority integer NOT NULL DEFAULT 0,
    jobgroup text CHECK (jobgroup <> ''),
    jobmaxfailures integer CHECK (jobmaxfailures > 0),
    jobfailures integer NOT NULL DEFAULT 0,
    jobdeleteonsuccess boolean NOT NULL DEFAULT false,
    jobdone boolean NOT NULL DEFAULT false,
    jobkeepruns integer CHECK (jobkeepruns > 0),
    jobkeepfor interval CHECK (jobkeepfor > '0'),
    jobparameters jsonb CHECK (jsonb_typeof(jobparameters) = 'object')
);

-- What makes run_due choose among the due jobs instead of taking the longest due.
CREATE INDEX job_option_choosy ON pgagent_py.job_option (jobid)
    WHERE jobpriority <> 0 OR jobmaxlateness IS NOT NULL OR jobdone;

CREATE INDEX job_option_parameters ON pgagent_py.job_option (jobid) WHERE jobparameters IS NOT NULL;

COMMENT ON TABLE pgagent_py.job_option IS 'Options of jobs that pgagent.pga_job has no column for. No row: no option set.';
COMMENT ON COLUMN pgagent_py.job_option.jobowner IS
'Role whose job it is. NULL: nobody''s; it runs as pgAgent runs jobs. The name is what a dump carries: the trigger _resolve_roles '
'finds its jobownerid when it is restored.';
COMMENT ON COLUMN pgagent_py.job_option.jobownerid IS
'What counts: so that a job follows a role that is renamed, and is not given to a new role that gets a dropped one''s name.';
COMMENT ON COLUMN pgagent_py.job_option.jobrunas IS 'Role that SQL steps log in as, of which the owner is a member. NULL: the owner.';
COMMENT ON COLUMN pgagent_py.job_option.jobrunasid IS 'As jobownerid.';
COMMENT ON COLUMN pgagent_py.job_option.jobtimeout IS 'A run that takes longer is stopped and fails. NULL: none.';
COMMENT ON COLUMN pgagent_py.job_option.jobmaxlateness IS 'A run that can''t start within this time of being due is skipped. NULL: none.';
COMMENT ON COLUMN pgagent_py.job_option.jobpriority IS 'Among due jobs those with a higher number start first.';
COMMENT ON COLUMN pgagent_py.job_option.jobgroup IS 'Name of a group that pgagent_py.job_limit may limit. NULL: none.';
COMMENT ON COLUMN pgagent_py.job_option.jobmaxfailures IS 'The job is disabled after so many failed runs in a row. NULL: never.';
COMMENT ON COLUMN pgagent_py.job_option.jobfailures IS 'Failed runs in a row, counted while jobmaxfailures is set; from 0 again once that is reached.';
COMMENT ON COLUMN pgagent_py.job_option.jobdeleteonsuccess IS 'The job is deleted after its first successful run.';
COMMENT ON COLUMN pgagent_py.job_option.jobdone IS 'It has succeeded and is to be deleted: a session still holds a lock on it.';
COMMENT ON COLUMN pgagent_py.job_option.jobkeepruns IS 'How many of its runs are kept in the log. NULL: as set_retention says.';
COMMENT ON COLUMN pgagent_py.job_option.jobkeepfor IS 'How long its runs are kept in the log. NULL: as set_retention says.';
COMMENT ON COLUMN pgagent_py.job_option.jobparameters IS 'What its steps find as parameters: an object. NULL: nothing.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_option', '');
