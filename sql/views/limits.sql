{% from "macros/visible.j2" import takes_part %}
CREATE OR REPLACE VIEW pgagent_py.limits WITH (security_barrier) AS
SELECT c.jclname AS class, l.jobgroup AS "group", l.running,
       (SELECT count(*) FROM pgagent.pga_job j LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
         WHERE j.jobagentid IS NOT NULL AND (j.jobjclid = l.jclid OR o.jobgroup = l.jobgroup OR o.jobownerid = l.jobownerid)) AS running_now,
       coalesce(r.rolname, l.jobowner) AS owner, l.priority, l.jobwindow AS "window"
  FROM pgagent_py.job_limit l LEFT JOIN pgagent.pga_jobclass c ON c.jclid = l.jclid LEFT JOIN pg_roles r ON r.oid = l.jobownerid
 WHERE {{ takes_part("pga_job") }};

GRANT SELECT ON pgagent_py.limits TO PUBLIC;

COMMENT ON VIEW pgagent_py.limits IS
{% filter literal %}
The limits of set_limit(), for members of the roles pgagent_py_... and roles that may read pga_job.

- class, group, owner: what is limited, one of these.
- running: how many jobs may run at once. NULL: any number.
- running_now: how many jobs are running.
- priority: of an owner; jobs of owners with a higher number start first. NULL: 0.
- window: of a class, the windows in which runs of its jobs may start. NULL: at any time.
{% endfilter %};
