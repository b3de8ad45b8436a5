{% from "macros/visible.j2" import takes_part %}
CREATE OR REPLACE VIEW pgagent_py.windows WITH (security_barrier) AS
SELECT w.winname AS name, w.windesc AS description, w.winclosed AS closed, w.wingiven ->> 'cron' AS cron, w.winrules AS rules,
       w.winduration AS duration,
       coalesce(w.wintimezone, (SELECT z.value FROM pgagent_py.setting z WHERE z.name = 'timezone')) AS timezone,
       t.open, t.until::timestamptz AS until, t.next::timestamptz AS next
  FROM pgagent_py.job_window w JOIN pgagent_py._window_times() t ON t.name = w.winname
 WHERE {{ takes_part("pga_job") }};

GRANT SELECT ON pgagent_py.windows TO PUBLIC;

COMMENT ON VIEW pgagent_py.windows IS
{% filter literal %}
The windows of add_window(), for members of the roles pgagent_py_... and roles that may read pga_job.

- closed: while it is open, no run of its jobs starts.
- cron, rules: when it opens: the expression that it was given, and the numbers of the sets.
- duration, timezone: for how long it opens each time, and whose wall clock counts.
- open, until: whether it is open now, and when it closes. NULL: it is not open, or no end is foreseen.
- next: when it opens next. NULL: never, or that is not foreseen.
{% endfilter %};
