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
    jobparameters jsonb CHECK (jsonb_typeof(jobparameters) = 'object'),
    jobinstallation uuid,
    joblabels text[] CHECK (joblabels <> '{}'),
    joblateafter interval CHECK (joblateafter > '0'),
    joboverrunafter interval CHECK (joboverrunafter > '0'),
    jobcatchup text CHECK (jobcatchup IN ('skip', 'all')),
    jobcatchuplimit integer CHECK (jobcatchuplimit > 0),
    jobwindow text CHECK (jobwindow <> ''),
    jobatwindowend text CHECK (jobatwindowend = 'stop')
);

-- If there is such a row, run_due() chooses among the due jobs. Else it takes those that are due longest.
CREATE INDEX job_option_choosy ON pgagent_py.job_option (jobid) WHERE jobpriority <> 0;
-- The same. Without such a row it looks for no job that is too late.
CREATE INDEX job_option_lateness ON pgagent_py.job_option (jobid) WHERE jobmaxlateness IS NOT NULL OR jobcatchup IS NOT NULL;

-- Bounds count the jobs of a role.
CREATE INDEX job_option_owner ON pgagent_py.job_option (jobownerid) WHERE jobownerid IS NOT NULL;

-- Jobs to delete.
CREATE INDEX job_option_done ON pgagent_py.job_option (jobid) WHERE jobdone;

CREATE INDEX job_option_parameters ON pgagent_py.job_option (jobid) WHERE jobparameters IS NOT NULL;

CREATE INDEX job_option_labels ON pgagent_py.job_option (jobid) WHERE joblabels IS NOT NULL;

-- Each turn of a launcher looks at these, if there are messages for it.
CREATE INDEX job_option_late ON pgagent_py.job_option (joblateafter) WHERE joblateafter IS NOT NULL;
CREATE INDEX job_option_overrun ON pgagent_py.job_option (joboverrunafter) WHERE joboverrunafter IS NOT NULL;

-- Each turn looks whether there are any.
CREATE INDEX job_option_stop ON pgagent_py.job_option (jobid) WHERE jobatwindowend IS NOT NULL;

CREATE INDEX job_option_window ON pgagent_py.job_option (jobid) WHERE jobwindow IS NOT NULL;

COMMENT ON TABLE pgagent_py.job_option IS
'Options of jobs for which pga_job has no column. A job without a row has no options.';
COMMENT ON COLUMN pgagent_py.job_option.jobowner IS
'The role whose job it is. NULL: nobody''s job, which runs as pgAgent runs jobs. A dump carries this name, and after a '
'restore the trigger _resolve_roles finds jobownerid by it.';
COMMENT ON COLUMN pgagent_py.job_option.jobownerid IS
'This id counts, not the name. So a job follows its owner when that role is renamed, and a new role does not get the '
'jobs of a dropped one.';
COMMENT ON COLUMN pgagent_py.job_option.jobrunas IS
'The role that SQL steps log in as; the owner is a member of it. NULL: the owner.';
COMMENT ON COLUMN pgagent_py.job_option.jobrunasid IS
'The id of jobrunas. It counts, as jobownerid does.';
COMMENT ON COLUMN pgagent_py.job_option.jobtimeout IS
'A run that takes longer is stopped and fails. NULL: no limit.';
COMMENT ON COLUMN pgagent_py.job_option.jobmaxlateness IS
'A run that cannot start within this time of being due is skipped. NULL: no limit.';
COMMENT ON COLUMN pgagent_py.job_option.jobpriority IS
'Among due jobs the one with the higher number starts first.';
COMMENT ON COLUMN pgagent_py.job_option.jobgroup IS
'Name of a group that job_limit may limit. NULL: none.';
COMMENT ON COLUMN pgagent_py.job_option.jobmaxfailures IS
'The job is disabled after so many failed runs in a row. NULL: never.';
COMMENT ON COLUMN pgagent_py.job_option.jobfailures IS
'Failed runs in a row, counted while jobmaxfailures is set. It goes back to 0 when that is reached.';
COMMENT ON COLUMN pgagent_py.job_option.jobdeleteonsuccess IS
'The job is deleted after its first successful run.';
COMMENT ON COLUMN pgagent_py.job_option.jobdone IS
'The job has succeeded and is to be deleted. A session still has it locked.';
COMMENT ON COLUMN pgagent_py.job_option.jobkeepruns IS
'How many of its runs stay in the log. NULL: as set_retention() says.';
COMMENT ON COLUMN pgagent_py.job_option.jobkeepfor IS
'How long its runs stay in the log. NULL: as set_retention() says.';
COMMENT ON COLUMN pgagent_py.job_option.jobparameters IS
'What its steps find as parameters: an object. NULL: nothing.';
COMMENT ON COLUMN pgagent_py.job_option.jobinstallation IS
'The installation in which the ids of jobowner and jobrunas were found. Those of another one mean nothing here.';
COMMENT ON COLUMN pgagent_py.job_option.joblabels IS
'The labels that a launcher must have to run it. NULL: none.';
COMMENT ON COLUMN pgagent_py.job_option.joblateafter IS
'Messages tell when a run has not started within this time of being due. NULL: never.';
COMMENT ON COLUMN pgagent_py.job_option.joboverrunafter IS
'Messages tell when a run takes longer than this. NULL: never.';
COMMENT ON COLUMN pgagent_py.job_option.jobcatchup IS
'What becomes of times that were missed: skip or all of them. NULL: the first counts, once.';
COMMENT ON COLUMN pgagent_py.job_option.jobcatchuplimit IS
'How many of them run, the newest, where jobcatchup is all. NULL: 100.';
COMMENT ON COLUMN pgagent_py.job_option.jobwindow IS
'The windows in which its runs may start: names in order, with a comma and a blank between. NULL: at any time.';
COMMENT ON COLUMN pgagent_py.job_option.jobatwindowend IS
'What becomes of a run when they close. NULL: it goes on.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_option', '');
