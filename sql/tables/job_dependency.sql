CREATE TABLE pgagent_py.job_dependency (
    jobid integer REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobafter integer REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    depwhen text NOT NULL CHECK (depwhen IN ('success', 'failure', 'finish')),
    depchecked boolean NOT NULL DEFAULT false,
    PRIMARY KEY (jobid, jobafter)
);

CREATE INDEX job_dependency_jobafter ON pgagent_py.job_dependency (jobafter);

CREATE INDEX job_dependency_unchecked ON pgagent_py.job_dependency (jobid) WHERE NOT depchecked;

COMMENT ON TABLE pgagent_py.job_dependency IS
'Jobs (jobid) that start when others (jobafter) have ended as depwhen says. A job with several rows waits for all of '
'them.';

COMMENT ON COLUMN pgagent_py.job_dependency.depchecked IS
'A launcher has seen, after the commit, that it closes no circle: two sessions can each add a half of one at the same '
'time.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_dependency', '');
