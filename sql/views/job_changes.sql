{% from "macros/visible.j2" import edits_all, owns, sees_all %}
CREATE OR REPLACE VIEW pgagent_py.job_changes WITH (security_barrier) AS
SELECT c.chgat AS changed_at, c.chgby AS changed_by, c.jobid,
       coalesce(j.jobname, (SELECT d.chgname FROM pgagent_py.job_change d
                             WHERE d.jobid = c.jobid AND d.chgobject = 'job' AND d.chgaction = 'delete' LIMIT 1)) AS jobname,
       c.chgobject AS object, c.chgobjectid AS object_id, c.chgaction AS action, c.chgcolumn AS column_name,
       CASE WHEN mine.edits OR NOT c.chgprivate THEN c.chgold END AS old_value,
       CASE WHEN mine.edits OR NOT c.chgprivate THEN c.chgnew END AS new_value,
       c.chgname AS object_name
  FROM pgagent_py.job_change c
  LEFT JOIN pgagent.pga_job j ON j.jobid = c.jobid
 CROSS JOIN LATERAL (
       SELECT {{ owns("c.jobid") }}
           OR j.jobid IS NULL AND EXISTS (
              SELECT FROM pgagent_py.job_change w
               WHERE w.jobid = c.jobid AND w.chgowner IS NOT NULL AND pg_has_role(w.chgowner, 'USAGE')
                 AND w.chginstallation = (SELECT i.id FROM pgagent_py.installation i)) AS owned) own
 CROSS JOIN LATERAL (SELECT own.owned OR {{ edits_all() }} AS edits) mine
 WHERE {{ sees_all("pga_job", "pga_jobstep", "pga_schedule", "pga_exception") }} OR own.owned
 ORDER BY c.chgat DESC, c.chgid DESC;

GRANT SELECT ON pgagent_py.job_changes TO PUBLIC;

COMMENT ON VIEW pgagent_py.job_changes IS
{% filter literal %}
Who has changed what of the jobs, newest first. A role sees all if it may read pgAgent's tables, or is in
pgagent_py_monitor, else the changes of jobs whose owner's rights it has, also after they were dropped.

- changed_by: the role that has asked for it, as SET ROLE had it. " (session NAME)" follows if it has logged in as
  another.
- jobid, jobname: the job, by its present name. NULL: it concerns no single job.
- object: job, step, schedule, exception, option, message, dependency, calendar, window, limit, pause, bound,
  engine, backfill or setting.
- object_id: its id; of an option that of the job, step or schedule, of a dependency that of the job waited for, of a
  calendar that of the schedule that it was attached to.
- action: insert, update or delete.
- column_name: of an update, the column of pgAgent's table or ours. NULL: the object was added or dropped.
- old_value, new_value: texts. Of what was added or dropped a JSON object. Passwords, parameters and webhook addresses
  are masked. Connection strings, addresses and texts of messages are NULL for a role that may not edit the job.
- object_name: the name of the step, calendar, class, group, role or setting.
{% endfilter %};
