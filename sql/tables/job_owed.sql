CREATE TABLE pgagent_py.job_owed (
    jobid integer PRIMARY KEY REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobowedfrom timestamptz NOT NULL DEFAULT clock_timestamp(),
    jobchecked timestamptz,
    jobschedules text
);

COMMENT ON TABLE pgagent_py.job_owed IS
'Jobs that owe the times of their schedules that were missed (jobcatchup all). It is not dumped: a restore owes nothing.';
COMMENT ON COLUMN pgagent_py.job_owed.jobowedfrom IS
'The last time of the schedules that was claimed, or before which nothing is owed: those that are later are owed.';
COMMENT ON COLUMN pgagent_py.job_owed.jobchecked IS
'The jobnextrun for which it was seen to that no more are owed than jobcatchuplimit.';
COMMENT ON COLUMN pgagent_py.job_owed.jobschedules IS
'_schedules_version() when jobnextrun was set. If it is another one when a run ends, nothing is owed.';
