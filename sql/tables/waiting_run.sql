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
{% filter literal %}
Runs in progress with no step executing. The next step waits for a free place or for not_before; or a result (jslid
and the columns behind it) could not be booked, because another session has the job or the log locked. waiting_since:
a time in the future means that the clock was set back, and that the run has waited long enough. No foreign key: it
would wait for a session that has the log row locked.
{% endfilter %};
