CREATE OR REPLACE VIEW pgagent_py.skipped WITH (security_barrier) AS
SELECT v.jobid, v.jobname, k.skpfrom AS "from", k.skpuntil AS until, k.skpby AS skipped_by, k.skpat AS skipped_at
  FROM pgagent_py.skip k
 CROSS JOIN LATERAL (SELECT * FROM pgagent_py.visible_job j WHERE j.jobid = k.jobid OFFSET 0) v
 WHERE NOT k.skpused AND k.skprules = (SELECT f.rules FROM pgagent_py.firing_rule f WHERE f.jobid = k.jobid);

GRANT SELECT ON pgagent_py.skipped TO PUBLIC;

COMMENT ON VIEW pgagent_py.skipped IS
{% filter literal %}
The times of schedules that skip_next_run() leaves out, of the jobs that the current role sees in visible_job.

- from, until: the first and the last of them.
- skipped_by, skipped_at: which role has asked for it, and when.
{% endfilter %};
