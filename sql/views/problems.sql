{% from "macros/visible.j2" import takes_part %}
-- Without windows nothing of Python is called: it takes a new session 0.2 s to load that.
CREATE OR REPLACE VIEW pgagent_py.problems WITH (security_barrier) AS
SELECT v.jobid, v.jobname, nullif(p.jscid, 0) AS jscid, p.since, p.error, p.not_before AS next_try
  FROM pgagent_py.visible_job v JOIN pgagent_py.problem p ON p.jobid = v.jobid
 UNION ALL
SELECT NULL, NULL, NULL, NULL, d.error, NULL FROM pgagent_py.database_problem d WHERE {{ takes_part("pga_job") }}
 UNION ALL
SELECT NULL, NULL, NULL, NULL, format('nobody can say when window "%s" opens: %s', t.name, t.error), NULL
  FROM pgagent_py._window_times() t
 WHERE t.error IS NOT NULL AND {{ takes_part("pga_job") }} AND EXISTS (SELECT FROM pgagent_py.job_window);

GRANT SELECT ON pgagent_py.problems TO PUBLIC;

COMMENT ON VIEW pgagent_py.problems IS
{% filter literal %}
The jobs that the current role may see and that do not run as they should, because something of theirs makes the
server fail: a time zone that it does not know any more, a number out of range. All others go on. What is wrong with
the database as a whole is here, too: its jobs come by a subscription, triggers of pgAgent's tables are disabled, or a
window is in a time zone that is gone.

- jobid, jobname: NULL if it is the whole database, or a window.
- jscid: the schedule that has no next run because of it. NULL: the job itself cannot be started.
- since: when that was first seen.
- error: the words of the server.
- next_try: when it is tried again. A change of the job or schedule counts at once.
{% endfilter %};
