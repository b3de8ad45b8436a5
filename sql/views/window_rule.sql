{% from "macros/visible.j2" import takes_part %}
CREATE OR REPLACE VIEW pgagent_py.window_rule WITH (security_barrier) AS
SELECT w.winname, w.winclosed, w.winrules::text AS rules, extract(epoch FROM w.winduration)::float8 AS duration,
       coalesce(w.wintimezone, (SELECT z.value FROM pgagent_py.setting z WHERE z.name = 'timezone')) AS timezone
  FROM pgagent_py.job_window w WHERE {{ takes_part("pga_job") }};

GRANT SELECT ON pgagent_py.window_rule TO PUBLIC;

COMMENT ON VIEW pgagent_py.window_rule IS
'All windows with what decides when they are open, in the form that plpython/rules/read_windows.py compiles, for the roles '
'that see windows.';
