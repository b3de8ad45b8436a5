CREATE OR REPLACE VIEW pgagent_py.dependencies WITH (security_barrier) AS
SELECT v.jobid, v.jobname, d.jobafter, d.depwhen AS "when",
       EXISTS (SELECT FROM pgagent_py.dependency_met m WHERE m.jobid = d.jobid AND m.jobafter = d.jobafter) AS met,
       NULL::text AS waits_for
  FROM pgagent_py.visible_job v JOIN pgagent_py.job_dependency d ON d.jobid = v.jobid
 UNION ALL
SELECT v.jobid, v.jobname, NULL, w.linwhen, false, w.linafter
  FROM pgagent_py.visible_job v
  JOIN pgagent_py.comment_line w ON w.jobid = v.jobid AND w.linafter IS NOT NULL AND w.jobafter IS NULL;

GRANT SELECT ON pgagent_py.dependencies TO PUBLIC;

COMMENT ON VIEW pgagent_py.dependencies IS
{% filter literal %}
Which jobs wait for which other jobs. A role sees the waiting jobs that it sees in visible_job.

- jobid, jobname: the waiting job.
- jobafter: the id of the job that it waits for.
- when: how that job must end: success, failure or finish.
- met: the condition is met already.
- waits_for: the name that an @after line in the comment gives, while there is no such job: jobafter is NULL then, and
  the job does not start. NULL: the job is there.
{% endfilter %};
