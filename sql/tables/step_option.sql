CREATE TABLE pgagent_py.step_option (
    jstid integer PRIMARY KEY REFERENCES pgagent.pga_jobstep (jstid) ON DELETE CASCADE,
    jstatomic boolean NOT NULL DEFAULT false,
    jsttimeout interval CHECK (jsttimeout > '0'),
    jstretries integer NOT NULL DEFAULT 0 CHECK (jstretries BETWEEN 0 AND 100),
    jstretrydelay interval NOT NULL DEFAULT '1 second' CHECK (jstretrydelay BETWEEN '0' AND '1 day'),
    jstretrybackoff float8 NOT NULL DEFAULT 1 CHECK (jstretrybackoff BETWEEN 1 AND 100),
    jstkeeprows integer CHECK (jstkeeprows BETWEEN 1 AND 10000),
    jstengine text CHECK (jstengine <> ''),
    jstengineoptions jsonb CHECK (jsonb_typeof(jstengineoptions) = 'object'),
    jstseparately boolean NOT NULL DEFAULT false CHECK (NOT (jstseparately AND jstatomic))
);

CREATE INDEX step_option_need ON pgagent_py.step_option (jstid) WHERE jstengine IS NOT NULL OR jstseparately;

COMMENT ON TABLE pgagent_py.step_option IS
'Options of steps for which pga_jobstep has no column. A step without a row has no options.';
COMMENT ON COLUMN pgagent_py.step_option.jstatomic IS
'The step''s code and its entry in the log are committed in one transaction: after a crash either both are there or '
'neither.';
COMMENT ON COLUMN pgagent_py.step_option.jsttimeout IS
'The step is stopped and has failed when it takes longer. NULL: no limit.';
COMMENT ON COLUMN pgagent_py.step_option.jstretries IS
'How often it is tried again after a failure, before its on_error counts.';
COMMENT ON COLUMN pgagent_py.step_option.jstretrydelay IS
'The time from a failed try to the next.';
COMMENT ON COLUMN pgagent_py.step_option.jstretrybackoff IS
'The factor by which the delay grows from try to try. No delay is longer than one day.';
COMMENT ON COLUMN pgagent_py.step_option.jstkeeprows IS
'How many rows of its result the log keeps. NULL: none.';
COMMENT ON COLUMN pgagent_py.step_option.jstengine IS
'The engine that executes the batch step. NULL: the launcher itself.';
COMMENT ON COLUMN pgagent_py.step_option.jstengineoptions IS
'What the engine is told about it: an object. NULL: nothing.';
COMMENT ON COLUMN pgagent_py.step_option.jstseparately IS
'The statements of the SQL step are executed one by one, as psql does.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.step_option', '');
