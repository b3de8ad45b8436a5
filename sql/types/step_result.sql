CREATE TYPE pgagent_py.step_result AS (
    jlgid integer,
    jslid integer,
    jslstatus text,
    jslresult integer,
    jslduration interval,
    jsloutput text
);

COMMENT ON TYPE pgagent_py.step_result IS
'What a launcher reports of a step that run_due handed out. jlgid and jslid: the run and its step log row, as handed out. '
'jslstatus: s success, f failure (run_due then applies the step''s on_error), d aborted, r still running (jsloutput so far). '
'jslresult: exit code of a batch step, rows affected or -1 of an SQL step. jslduration: NULL means since jslstart.';
