CREATE TABLE pgagent_py.agent (
    agent uuid PRIMARY KEY,
    jagpid integer NOT NULL UNIQUE,
    jagstation text NOT NULL,
    jagrole oid NOT NULL,
    jagall boolean NOT NULL,
    jagown boolean NOT NULL,
    missing_since timestamptz
);

COMMENT ON COLUMN pgagent_py.agent.jagrole IS 'Role that registered: only it can use the registration.';
COMMENT ON COLUMN pgagent_py.agent.jagall IS 'It may run every job: as a launcher, which logs in anew for the jobs that have an owner.';
COMMENT ON COLUMN pgagent_py.agent.jagown IS
'It may run the jobs of jagrole in this session: that is who has logged in, so RESET ROLE in a step leads nowhere else.';

COMMENT ON TABLE pgagent_py.agent IS
'Launchers at work: the identity beside the backend pid that pgagent.pga_jobagent knows. It outlives a lost connection. '
'missing_since: when another agent first saw that the backend is gone; the jobs are closed a grace time later.';
