CREATE TABLE pgagent_py.pause (
    jclid integer UNIQUE REFERENCES pgagent.pga_jobclass (jclid) ON DELETE CASCADE,
    paused_since timestamptz NOT NULL DEFAULT now(),
    paused_by text NOT NULL,
    paused_from timestamptz,
    paused_until timestamptz
);

-- It has no primary key, and a publication of all tables must not make its changes fail.
ALTER TABLE pgagent_py.pause REPLICA IDENTITY FULL;

CREATE UNIQUE INDEX pause_everything ON pgagent_py.pause ((jclid IS NULL)) WHERE jclid IS NULL;

COMMENT ON TABLE pgagent_py.pause IS
'Classes of jobs that are paused: no run of such a job starts. jclid NULL: all jobs are paused.';
COMMENT ON COLUMN pgagent_py.pause.paused_from IS
'When it begins. NULL: at once.';
COMMENT ON COLUMN pgagent_py.pause.paused_until IS
'When it is over by itself. NULL: never.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.pause', '');
