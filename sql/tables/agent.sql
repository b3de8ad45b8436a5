CREATE TABLE pgagent_py.agent (
    jagpid integer PRIMARY KEY,
    agent uuid NOT NULL,
    jagstation text NOT NULL,
    backend_start timestamptz NOT NULL,
    jagrole oid NOT NULL,
    jagall boolean NOT NULL,
    jagown boolean NOT NULL,
    jagreboot integer[],
    missing_since timestamptz
);

COMMENT ON COLUMN pgagent_py.agent.jagrole IS 'Role that registered: only it can use the registration.';
COMMENT ON COLUMN pgagent_py.agent.jagall IS 'It may run every job: as a launcher, which logs in anew for the jobs that have an owner.';
COMMENT ON COLUMN pgagent_py.agent.jagown IS
'It may run the jobs of jagrole in this session: that is who has logged in, so RESET ROLE in a step leads nowhere else.';
COMMENT ON COLUMN pgagent_py.agent.jagreboot IS
'Jobs that are to run because it has started and are not due yet: sessions had them locked. NULL: none.';

COMMENT ON TABLE pgagent_py.agent IS
'Launchers at work: the identity (agent) beside the backend pid that pgagent.pga_jobagent knows. It outlives a lost connection: '
'it is the same agent that comes back with another backend. It has two rows while a session has one of its jobs locked, so that '
'the job can''t be moved to the new pid yet. backend_start tells the backend from a later one with the same pid. missing_since: '
'when another agent first saw that all backends of this one are gone; its jobs are closed a grace time later.';
