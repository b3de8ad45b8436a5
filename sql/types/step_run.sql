CREATE TYPE pgagent_py.step_run AS (
    jobid integer,
    jlgid integer,
    jstid integer,
    jslid integer,
    jobname text,
    jstname text,
    jstkind text,
    jstcode text,
    jstdbname text,
    jstconnstr text,
    jstatomic boolean,
    jsttimeout interval,
    jobtimeleft interval,
    jobrunas text,
    jobparameters jsonb,
    jslstatus text,
    jslresult integer,
    jsloutput text,
    jstonerror text
);

COMMENT ON TYPE pgagent_py.step_run IS
'A step of a run, as run_due returns it: to be executed now (jslstatus r), or executed in the session (capacity 0: its '
'final jslstatus, jslresult and jsloutput). The columns carry pgAgent''s names; jlgid is the run, jslid its step log row.';
