CREATE TABLE pgagent_py.run_option (
    jlgid integer PRIMARY KEY REFERENCES pgagent.pga_joblog (jlgid) ON DELETE CASCADE,
    jlgcancelledby text,
    jstname text,
    jstid integer,
    jlgparameters jsonb CHECK (jsonb_typeof(jlgparameters) = 'object')
);

CREATE INDEX run_option_parameters ON pgagent_py.run_option (jlgid) WHERE jlgparameters IS NOT NULL;
CREATE INDEX run_option_cancelled ON pgagent_py.run_option (jlgid) WHERE jlgcancelledby IS NOT NULL;

COMMENT ON TABLE pgagent_py.run_option IS 'What single runs have of their own. No row: nothing.';
COMMENT ON COLUMN pgagent_py.run_option.jlgcancelledby IS 'The role that has cancelled the run.';
COMMENT ON COLUMN pgagent_py.run_option.jstname IS
'With jstid: the place, in the order of the job''s steps, where the run began. No reference: the step may be deleted meanwhile.';
COMMENT ON COLUMN pgagent_py.run_option.jlgparameters IS 'Parameters of this run, which override the job''s; triggered_by: the runs that it waited for.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.run_option', '');
