CREATE TABLE pgagent_py.backfill (
    bflid serial PRIMARY KEY,
    jobid integer NOT NULL REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    bflfrom timestamptz NOT NULL,
    bfluntil timestamptz NOT NULL CHECK (bfluntil > bflfrom),
    bflparameters jsonb CHECK (jsonb_typeof(bflparameters) = 'object'),
    bflstop boolean NOT NULL DEFAULT false,
    bflby text NOT NULL,
    bflat timestamptz NOT NULL DEFAULT now(),
    bfltimes integer NOT NULL,
    bflpast timestamptz NOT NULL,
    bflleft integer NOT NULL DEFAULT 0,
    bfldone integer NOT NULL DEFAULT 0,
    bflfailed integer NOT NULL DEFAULT 0,
    bflrun integer,
    bflclaimed timestamptz,
    bflschedules text,
    bflended timestamptz,
    bflwhy text
);

CREATE INDEX backfill_jobid ON pgagent_py.backfill (jobid);

-- Each turn of a launcher looks here.
CREATE INDEX backfill_open ON pgagent_py.backfill (jobid, bflid) WHERE bflended IS NULL;

COMMENT ON TABLE pgagent_py.backfill IS
'What backfill() was asked for: runs of a job for the times that its schedules name in a span.';
COMMENT ON COLUMN pgagent_py.backfill.bflparameters IS
'What its runs have instead of the job''s, key by key.';
COMMENT ON COLUMN pgagent_py.backfill.bflstop IS
'It ends when a run fails.';
COMMENT ON COLUMN pgagent_py.backfill.bflby IS
'The role that has asked for it, at bflat.';
COMMENT ON COLUMN pgagent_py.backfill.bfltimes IS
'How many times there were when it was asked for.';
COMMENT ON COLUMN pgagent_py.backfill.bflpast IS
'The times up to this one are dealt with. The claim moves it, so that each time has one run at most.';
COMMENT ON COLUMN pgagent_py.backfill.bflleft IS
'How many times were left out, since they had a successful run.';
COMMENT ON COLUMN pgagent_py.backfill.bfldone IS
'How many runs have ended.';
COMMENT ON COLUMN pgagent_py.backfill.bflfailed IS
'How many of them have failed or were aborted.';
COMMENT ON COLUMN pgagent_py.backfill.bflrun IS
'The run in progress (jlgid).';
COMMENT ON COLUMN pgagent_py.backfill.bflclaimed IS
'When that was claimed: times of the schedules that have passed since then are not lost.';
COMMENT ON COLUMN pgagent_py.backfill.bflschedules IS
'_schedules_version() at that time. If it is another one when the run ends, nothing is owed.';
COMMENT ON COLUMN pgagent_py.backfill.bflwhy IS
'Why it has ended before its last time. NULL: it has not.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.backfill', '');
SELECT pg_catalog.pg_extension_config_dump('pgagent_py.backfill_bflid_seq', '');
