CREATE OR REPLACE VIEW pgagent_py.this_agent WITH (security_barrier) AS
SELECT a.agent, a.jagpid, a.jagstation,
       (SELECT min(w.not_before) FROM pgagent_py.waiting_run w WHERE w.jagpid = a.jagpid) AS waiting_until
  FROM pgagent_py.agent a
 WHERE a.jagpid = pg_backend_pid() AND a.jagrole = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user);

COMMENT ON VIEW pgagent_py.this_agent IS
'The agent that this backend is registered as by the current role: one row or none. Who knows its agent may take turns (_turn): '
'no other role that gets to act in this backend, nor one whose backend gets the pid of an agent that is gone. '
'waiting_until: when the next of its runs that wait, for a retry or a lock, may go on.';
