-- The columns are in an order that wastes no space: there is a row for each run.
CREATE TABLE pgagent_py.run_origin (
    jlgdue timestamptz NOT NULL,
    jlgid integer PRIMARY KEY,
    jlgtrigger "char" NOT NULL,
    agent uuid,
    jlgtriggeredby text,
    jagstation text
);

-- backfill() looks which times have a successful run.
CREATE INDEX run_origin_due ON pgagent_py.run_origin (jlgdue);

COMMENT ON TABLE pgagent_py.run_origin IS
{% filter literal %}
What has set a run off, and which time it is for. A row comes when the run is logged, and goes with its log. No foreign
key: it would cost more than the row, and wait for sessions that have the log locked.
{% endfilter %};
COMMENT ON COLUMN pgagent_py.run_origin.jlgdue IS
'The time that the run is for.';
COMMENT ON COLUMN pgagent_py.run_origin.jlgtrigger IS
'A letter of TRIGGERS in plpython/ground/vocabulary.py.';
COMMENT ON COLUMN pgagent_py.run_origin.agent IS
'The launcher. NULL: a daemon, on the host jagstation.';
COMMENT ON COLUMN pgagent_py.run_origin.jlgtriggeredby IS
'The role that has asked for it, or the jobs that it has followed.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.run_origin', '');
