CREATE TABLE pgagent_py.job_origin (
    jobid integer PRIMARY KEY REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobnextrun timestamptz NOT NULL,
    jlgdue timestamptz,
    jlgtrigger "char" NOT NULL,
    jlgtriggeredby text
);

COMMENT ON TABLE pgagent_py.job_origin IS
{% filter literal %}
What has made a job due, if it was not a schedule. It counts only while jobnextrun of the job is the same: else there was
a later order, or the schedule was changed. No claim changes it: there is at most one row per job.
{% endfilter %};
COMMENT ON COLUMN pgagent_py.job_origin.jlgdue IS
'The time that the run is for. NULL: jobnextrun.';
COMMENT ON COLUMN pgagent_py.job_origin.jlgtrigger IS
'See run_origin.';
COMMENT ON COLUMN pgagent_py.job_origin.jlgtriggeredby IS
'See run_origin.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_origin', '');
