CREATE OR REPLACE VIEW pgagent_py.living_agent AS
SELECT a.jagpid, a.agent
  FROM pgagent_py.agent a
  JOIN pg_stat_activity s ON s.pid = a.jagpid AND s.backend_start = a.backend_start AND s.datname = current_database()
 WHERE NOT a.jagpooled OR a.last_seen > clock_timestamp() - interval '60 s'
 UNION ALL
SELECT j.jagpid, NULL
  FROM pgagent.pga_jobagent j
  JOIN pg_stat_activity s ON s.pid = j.jagpid AND s.backend_start <= j.jaglogintime AND s.datname = current_database()
 WHERE s.backend_type = 'client backend' AND NOT EXISTS (SELECT FROM pgagent_py.agent a WHERE a.jagpid = j.jagpid);

COMMENT ON VIEW pgagent_py.living_agent IS
{% filter literal %}
The agents that live, each by the pid of its backend; agent NULL is pgAgent's daemon. A pid is not enough: it may be
that of another database, or of a later session. So an agent of ours lives while the very backend lives that it has
registered, known by its start. The daemon has no more than its pid: its backend is older than its login. Behind a
connection pooler a backend outlives its client: there an agent lives while it has shown itself within a minute.
{% endfilter %};
