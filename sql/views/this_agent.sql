CREATE OR REPLACE VIEW pgagent_py.this_agent AS
SELECT a.agent, a.jagpid, a.jagstation FROM pgagent_py.agent a WHERE a.jagpid = pg_backend_pid();

COMMENT ON VIEW pgagent_py.this_agent IS 'The agent that this backend is registered as: one row or none.';
