CREATE TABLE pgagent_py.skip (
    jobid integer NOT NULL REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    skpfrom timestamptz NOT NULL,
    skpuntil timestamptz NOT NULL,
    skpby text NOT NULL,
    skpat timestamptz NOT NULL DEFAULT now(),
    skprules text NOT NULL,
    skpused boolean NOT NULL DEFAULT false,
    PRIMARY KEY (jobid, skpfrom)
);

-- Each turn of a launcher looks here.
CREATE INDEX skip_ahead ON pgagent_py.skip (jobid) WHERE NOT skpused;

COMMENT ON TABLE pgagent_py.skip IS
'Times of the schedules of jobs that skip_next_run() leaves out. They follow each other, so the first and the last are enough.';
COMMENT ON COLUMN pgagent_py.skip.skpfrom IS
'The first of these times.';
COMMENT ON COLUMN pgagent_py.skip.skpuntil IS
'The last of these times.';
COMMENT ON COLUMN pgagent_py.skip.skpby IS
'The role that has asked for it, at skpat.';
COMMENT ON COLUMN pgagent_py.skip.skprules IS
'The schedules of the job at that time, as the view firing_rule has them. If they are others by now, nothing is skipped.';
COMMENT ON COLUMN pgagent_py.skip.skpused IS
'The times have passed.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.skip', '');
