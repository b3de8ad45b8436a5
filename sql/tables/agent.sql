CREATE TABLE pgagent_py.agent (
    agent uuid PRIMARY KEY,
    jagpid integer NOT NULL UNIQUE,
    jagstation text NOT NULL,
    missing_since timestamptz
);

COMMENT ON TABLE pgagent_py.agent IS
'Launchers at work: the identity beside the backend pid that pgagent.pga_jobagent knows. It outlives a lost connection. '
'missing_since: when another agent first saw that the backend is gone; the jobs are closed a grace time later.';
