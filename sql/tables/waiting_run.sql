CREATE TABLE pgagent_py.waiting_run (
    jlgid integer PRIMARY KEY,
    jagpid integer NOT NULL,
    not_before timestamptz NOT NULL DEFAULT now(),
    waiting_since timestamptz NOT NULL DEFAULT clock_timestamp(),
    jslid integer,
    jslstatus text,
    jslresult integer,
    jslduration interval,
    jsloutput text
);

CREATE INDEX waiting_run_not_before ON pgagent_py.waiting_run (jagpid, not_before);

COMMENT ON TABLE pgagent_py.waiting_run IS
'Runs in progress that no step of is being executed: their next step waits for a free place or for not_before, or a result '
'(jslid and what follows it) could not be booked yet because another session holds a lock on the job or the log. waiting_since: in the future if the clock was set back meanwhile; '
'then it has waited long enough. No foreign key: it would wait for who has the log row locked.';
