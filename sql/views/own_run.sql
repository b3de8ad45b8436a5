CREATE OR REPLACE VIEW pgagent_py.own_run WITH (security_barrier) AS
SELECT r.jlgid, r.claimed
  FROM pgagent_py.this_agent t
  JOIN pgagent_py.agent a ON a.jagpid = t.jagpid
  JOIN pgagent_py.run r ON r.agent = a.agent
 WHERE (r.jlgid = ANY (a.jagleft)) IS NOT TRUE;

GRANT SELECT ON pgagent_py.own_run TO PUBLIC;

COMMENT ON VIEW pgagent_py.own_run IS
'The runs in progress of this backend''s agent, by their number and the time of the claim. After a failover a launcher '
'sees by it which runs the new primary knows.';
