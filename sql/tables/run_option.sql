CREATE TABLE pgagent_py.run_option (
    jlgid integer PRIMARY KEY REFERENCES pgagent.pga_joblog (jlgid) ON DELETE CASCADE,
    jlgcancelledby text,
    jstname text,
    jstid integer,
    jlgparameters jsonb CHECK (jsonb_typeof(jlgparameters) = 'object'),
    jstonly boolean NOT NULL DEFAULT false
);

CREATE INDEX run_option_parameters ON pgagent_py.run_option (jlgid) WHERE jlgparameters IS NOT NULL;
CREATE INDEX run_option_cancelled ON pgagent_py.run_option (jlgid) WHERE jlgcancelledby IS NOT NULL;

COMMENT ON TABLE pgagent_py.run_option IS
'What single runs have of their own. A run without a row has nothing.';
COMMENT ON COLUMN pgagent_py.run_option.jlgcancelledby IS
'The role that has cancelled the run.';
COMMENT ON COLUMN pgagent_py.run_option.jstname IS
'With jstid: where the run has begun, in the order of the job''s steps. No foreign key: the step may be deleted '
'meanwhile.';
COMMENT ON COLUMN pgagent_py.run_option.jstonly IS
'The run consists of that step alone.';
COMMENT ON COLUMN pgagent_py.run_option.jlgparameters IS
'Parameters of this run, which override those of the job. triggered_by: the runs that it has waited for.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.run_option', '');
