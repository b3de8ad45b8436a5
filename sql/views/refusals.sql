CREATE OR REPLACE VIEW pgagent_py.refusals WITH (security_barrier) AS
SELECT v.jobid, v.jobname, s.jstid, s.jstname, f.agent AS launcher, l.jagstation AS host, f.since, f.error
  FROM pgagent_py.refusal f
  JOIN pgagent_py.visible_step s ON s.jstid = f.jstid
  JOIN pgagent_py.visible_job v ON v.jobid = s.jobid
  JOIN (SELECT a.agent, min(a.jagstation) AS jagstation FROM pgagent_py.agent a GROUP BY a.agent) l ON l.agent = f.agent
 ORDER BY v.jobname, s.jstname, f.since;

GRANT SELECT ON pgagent_py.refusals TO PUBLIC;

COMMENT ON VIEW pgagent_py.refusals IS
{% filter literal %}
The SQL steps of visible jobs that a launcher at work could not connect for, the last time that it tried. A row goes when
the launcher has connected for the step.

- launcher, host: which launcher, as in the view launchers. Another one may get in.
- since: when it was refused first.
- error: the words of the server or of libpq. A step that waits because the server has no room has a row, too.
{% endfilter %};
