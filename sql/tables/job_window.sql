CREATE TABLE pgagent_py.job_window (
    winname text PRIMARY KEY CHECK (winname <> '' AND winname !~ ',|^\s|\s$'),
    windesc text NOT NULL DEFAULT '',
    wingiven jsonb NOT NULL CHECK (jsonb_typeof(wingiven) = 'object'),
    winrules jsonb NOT NULL CHECK (jsonb_typeof(winrules) = 'array'),
    winduration interval NOT NULL CHECK (winduration > '0'),
    wintimezone text,
    winclosed boolean NOT NULL DEFAULT false
);

COMMENT ON TABLE pgagent_py.job_window IS
'Named windows: the times at which runs of jobs may start.';
COMMENT ON COLUMN pgagent_py.job_window.wingiven IS
'The arguments that say when it opens, as they were given.';
COMMENT ON COLUMN pgagent_py.job_window.winrules IS
'What these stand for: rules, each of which has the numbers of its sets.';
COMMENT ON COLUMN pgagent_py.job_window.winduration IS
'For how long it opens each time, in elapsed time.';
COMMENT ON COLUMN pgagent_py.job_window.wintimezone IS
'The time zone in whose wall clock its rules are read. NULL: the database''s default, default_timezone().';
COMMENT ON COLUMN pgagent_py.job_window.winclosed IS
'While it is open, no run may start.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_window', '');
