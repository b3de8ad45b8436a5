CREATE TABLE pgagent_py.run_order (
    jobid integer PRIMARY KEY REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    jobnextrun timestamptz NOT NULL,
    jstname text,
    jstid integer,
    jlgparameters jsonb,
    jstonly boolean NOT NULL DEFAULT false
);

COMMENT ON TABLE pgagent_py.run_order IS
{% filter literal %}
What run_now(), or a dependency, has asked of the run that it has made due. The claim of that run moves the row to
run_option. An order is void when jobnextrun of the job is another by then: there is a later order, or the schedule
was changed.
{% endfilter %};

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.run_order', '');
