CREATE OR REPLACE VIEW pgagent_py.own_jagpid AS
SELECT f.jagpid FROM pgagent_py.agent f JOIN pgagent_py.agent a ON a.agent = f.agent WHERE a.jagpid = pg_backend_pid();

COMMENT ON VIEW pgagent_py.own_jagpid IS
'The backend pids with which the agent of this backend has claimed jobs: its own, and those of backends that it had '
'before.';
