CREATE OR REPLACE VIEW pgagent_py.this_agent WITH (security_barrier) AS
SELECT a.agent, a.jagpid, a.jagstation,
       least((SELECT min(r.not_before) FROM pgagent_py.run r WHERE r.agent = a.agent AND r.jslid IS NULL),
             (SELECT min(w.not_before) FROM pgagent_py.waiting_result w WHERE w.agent = a.agent)) AS waiting_until,
       a.jagknows, EXISTS (SELECT FROM pgagent_py.draining d WHERE d.agent = a.agent) AS draining
  FROM pgagent_py.agent a
 WHERE a.jagpid = pg_backend_pid() AND a.backend_start = pgagent_py._backend_start()
   AND a.jagrole = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user);

GRANT SELECT ON pgagent_py.this_agent TO PUBLIC;

COMMENT ON VIEW pgagent_py.this_agent IS
{% filter literal %}
The agent that the current role has registered this backend as: one row or none. A role that knows an agent's id may
do its turns. So no other role that acts in this backend sees it. Nor is the row shown to a later backend with the
same pid.

- draining: it takes nothing more, by drain().
- waiting_until: when the next of its runs that wait, for a retry or a lock, may go on.
{% endfilter %};
