CREATE TABLE pgagent_py.run_order (
    jobid integer PRIMARY KEY REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobnextrun timestamptz NOT NULL,
    jstname text,
    jstid integer,
    jlgparameters jsonb
);

COMMENT ON TABLE pgagent_py.run_order IS
'What run_now() has asked of the run that it made due; the claim of that run moves it to run_option. '
'It is void when the job''s jobnextrun is another by then: somebody has given a later order, or has changed the schedule.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.run_order', '');
