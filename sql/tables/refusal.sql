CREATE TABLE pgagent_py.refusal (
    agent uuid,
    jstid integer,
    error text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agent, jstid)
);

COMMENT ON TABLE pgagent_py.refusal IS
'SQL steps that a launcher could not connect for, the last time that it tried. No foreign keys: to note one must not wait for a '
'session that deletes the step.';
COMMENT ON COLUMN pgagent_py.refusal.error IS
'The words of the server or of libpq.';
