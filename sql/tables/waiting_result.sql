CREATE TABLE pgagent_py.waiting_result (
    jslid integer PRIMARY KEY,
    jlgid integer NOT NULL,
    agent uuid NOT NULL,
    jslstatus text NOT NULL,
    jslresult integer,
    jslduration interval,
    jsloutput text,
    not_before timestamptz NOT NULL DEFAULT clock_timestamp() + interval '0.2 s',
    waiting_since timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX waiting_result_not_before ON pgagent_py.waiting_result (agent, not_before);

COMMENT ON TABLE pgagent_py.waiting_result IS
{% filter literal %}
Results of steps that could not be booked yet, because another session has the job or a row of its log locked: one for
each step log row. The step is not handed out again meanwhile. waiting_since: see run. No foreign keys: see run.
{% endfilter %};
