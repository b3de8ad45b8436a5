CREATE TABLE pgagent_py.alive (
    last_alive timestamptz,
    one boolean PRIMARY KEY DEFAULT true CHECK (one)
);

INSERT INTO pgagent_py.alive DEFAULT VALUES;

COMMENT ON TABLE pgagent_py.alive IS
'One row: when a launcher was last at work, to some ten seconds. By it, the message that a job is late says for how long none '
'was.';
