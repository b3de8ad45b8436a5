{% from "macros/visible.j2" import may_edit %}
CREATE OR REPLACE VIEW pgagent_py.job_options WITH (security_barrier) AS
SELECT v.jobid AS job, v.jobname AS name, o.jobtimeout AS timeout, o.jobmaxlateness AS max_lateness, o.jobpriority AS priority,
       o.jobgroup AS "group", o.jobmaxfailures AS max_failures, o.jobdeleteonsuccess AS delete_on_success,
       o.jobkeepruns AS keep_runs, o.jobkeepfor AS keep_for, CASE WHEN mine.edits THEN o.jobparameters END AS parameters,
       v.jobid, o.joblabels AS labels, o.joblateafter AS late_after, o.joboverrunafter AS overrun_after,
       coalesce(o.jobcatchup, 'once') AS catch_up, o.jobcatchuplimit AS catch_up_limit,
       o.jobwindow AS "window", coalesce(o.jobatwindowend, 'finish') AS at_window_end
  FROM pgagent_py.visible_job v JOIN pgagent_py.job_option o ON o.jobid = v.jobid
 {{ may_edit("v.jobid") }};

GRANT SELECT ON pgagent_py.job_options TO PUBLIC;

COMMENT ON VIEW pgagent_py.job_options IS
{% filter literal %}
What alter_job() has set for the jobs that the current role sees in visible_job. The columns have the names of its
arguments. A job without a row has no options.

- jobid: the job. job is the same.
- parameters: NULL, too, for a role that may not edit the job.
{% endfilter %};
