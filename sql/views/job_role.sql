CREATE OR REPLACE VIEW pgagent_py.job_role AS
SELECT o.jobid, o.jobownerid AS ownerid, coalesce(w.rolname, o.jobowner) AS owner,
       CASE WHEN o.jobrunas IS NOT NULL THEN coalesce(u.rolname, o.jobrunas) END AS run_as,
       CASE WHEN o.jobrunas IS NULL THEN o.jobownerid ELSE o.jobrunasid END AS roleid,
       coalesce(u.rolname, o.jobrunas, w.rolname, o.jobowner)::text AS role,
       CASE WHEN w.oid IS NULL
            THEN format('role %s, the job''s owner, does not exist (any more)', o.jobowner)
            WHEN o.jobrunas IS NOT NULL AND u.oid IS NULL
            THEN format('role %s, which the job runs as, does not exist (any more)', o.jobrunas)
            WHEN u.rolsuper AND NOT w.rolsuper
            THEN format('role %s, the job''s owner, may not run it as superuser %s', w.rolname, u.rolname)
            WHEN NOT pg_has_role(w.oid, u.oid, {{ python_constant("ground.vocabulary.MEMBER") }})
            THEN format('role %s, the job''s owner, is not a member of role %s', w.rolname, u.rolname)
       END AS refused,
       CASE WHEN NOT EXISTS (SELECT FROM pg_roles b
                              WHERE b.rolname = 'pgagent_py_batch' AND pg_has_role(w.oid, b.oid, 'MEMBER'))
            THEN format('role %s, the job''s owner, is not a member of pgagent_py_batch', w.rolname)
       END AS refused_batch
  FROM pgagent_py.job_owner o
  LEFT JOIN pg_roles w ON w.oid = o.jobownerid
  LEFT JOIN pg_roles u ON u.oid = o.jobrunasid;

COMMENT ON VIEW pgagent_py.job_role IS
{% filter literal %}
The jobs that have an owner: owner and run_as by their present names, and the role that SQL steps log in as.

- refused: why the job may not run. NULL: it may.
- refused_batch: why a batch step of it may not run. NULL: it may.
{% endfilter %};
