-- No foreign keys: with them, the end of a run would wait for a session that is deleting another job.
CREATE TABLE pgagent_py.dependency_met (
    jobid integer NOT NULL,
    jobafter integer NOT NULL,
    jlgid integer NOT NULL,
    jlgstatus text NOT NULL
);

-- It has no primary key, and a publication of all tables must not make its changes fail.
ALTER TABLE pgagent_py.dependency_met REPLICA IDENTITY FULL;

CREATE INDEX dependency_met_jobid ON pgagent_py.dependency_met (jobid, jobafter);

COMMENT ON TABLE pgagent_py.dependency_met IS
'Conditions of job_dependency that a run (jlgid) has met. A row stays until the job that waits for it starts.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.dependency_met', '');
