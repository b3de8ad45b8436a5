CREATE TABLE pgagent_py.job_due (
    jobid integer PRIMARY KEY REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobdue timestamptz NOT NULL,
    jobduebefore timestamptz
) WITH (fillfactor = 70);

COMMENT ON TABLE pgagent_py.job_due IS
'For which times jobs have succeeded, beyond what their history tells. Runs that run_now() has asked for do not count.';
COMMENT ON COLUMN pgagent_py.job_due.jobdue IS
'The latest time that a run was for which has succeeded.';
COMMENT ON COLUMN pgagent_py.job_due.jobduebefore IS
'The latest one before that. NULL: none is known.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_due', '');
