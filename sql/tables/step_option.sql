CREATE TABLE pgagent_py.step_option (
    jstid integer PRIMARY KEY REFERENCES pgagent.pga_jobstep (jstid) ON DELETE CASCADE,
    jstatomic boolean NOT NULL DEFAULT false
);

COMMENT ON TABLE pgagent_py.step_option IS
'Options of steps that pgagent.pga_jobstep has no column for. No row: no option set.';
COMMENT ON COLUMN pgagent_py.step_option.jstatomic IS
'The step''s code and its log entry commit in one transaction: after a crash either both happened or neither.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.step_option', '');
