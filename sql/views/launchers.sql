{% from "macros/visible.j2" import takes_part %}
-- Only the role that has registered a backend reads its id in that backend: see this_agent.
CREATE OR REPLACE VIEW pgagent_py.launchers WITH (security_barrier) AS
SELECT a.agent AS launcher, l.jagstation AS host, a.jagversion AS version,
       CASE WHEN a.jagpid IS NULL THEN 'pgagent' ELSE 'pgagent-py' END AS kind,
       coalesce(pg_get_userbyid(a.jagrole), w.role)::text AS role,
       l.jaglogintime AS since, w.last_seen, a.jagplaces AS places,
       CASE WHEN a.jagpid IS NULL THEN (SELECT count(*) FROM pgagent.pga_job j WHERE j.jobagentid = l.jagpid)
            ELSE (SELECT count(*) FROM pgagent_py.run r WHERE r.agent = a.agent) END::integer AS running,
       ARRAY(SELECT substr(k.has, 7) FROM unnest(a.jagknows) k (has) WHERE starts_with(k.has, 'label ') ORDER BY 1) AS labels,
       EXISTS (SELECT FROM pgagent_py.draining d WHERE d.agent = a.agent) AS draining,
       greatest(0, a.jagplaces - (SELECT count(*) FROM pgagent_py.run r
                                   WHERE r.agent = a.agent AND r.jslid IS NOT NULL AND r.engine IS NULL))::integer AS free,
       p.lrpskew AS skew, p.lrphindered AS hindered, coalesce(a.jagpooled, false) AS pooled
  FROM pgagent.pga_jobagent l
  JOIN pgagent_py._agents_at_work() w ON w.jagpid = l.jagpid
  LEFT JOIN pgagent_py.agent a ON a.jagpid = l.jagpid
  LEFT JOIN pgagent_py.launcher_report p ON p.agent = a.agent
 WHERE (a.jagpid IS DISTINCT FROM pg_backend_pid() OR a.jagrole = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user))
   AND {{ takes_part("pga_jobagent") }}
 ORDER BY l.jagstation, l.jaglogintime;

GRANT SELECT ON pgagent_py.launchers TO PUBLIC;

COMMENT ON VIEW pgagent_py.launchers IS
{% filter literal %}
The launchers and pgAgent daemons at work, for members of pgagent_py_user, pgagent_py_launcher and the like, and for
roles that may read pga_jobagent.

- launcher: the id by which runs name it (run_history.agent). NULL: a daemon, which its host names.
- host: its host name, which a job's host is compared with.
- version: of the launcher. NULL: a daemon, or a launcher before 1.1.
- kind: pgagent-py, or pgagent for the C++ daemon.
- role: the role that it has logged in as.
- since: when it has connected. It stays the same launcher when it comes back after a lost connection.
- last_seen: when it has last asked the server for something. A launcher with nothing to do asks every 30 seconds or
  sooner.
- places: how many steps it executes at the same time (--workers).
- running: how many runs it has in progress.
- labels, draining: its labels, and whether it takes no more jobs.
- free: how many of its places are free. Steps on engines that go on without it take none.
- skew: by how much its host's clock is ahead of the server's, negative when behind, as far as that is certain. It is looked at
  once a minute. NULL, as the next: it has not said.
- hindered: what its service takes from batch steps, by the names of systemd's settings, for example NoNewPrivileges.
- pooled: a connection pooler stands between it and the server.
{% endfilter %};
