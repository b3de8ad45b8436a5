{% from "macros/words.j2" import run_status %}
{% from "macros/visible.j2" import may_see %}
CREATE OR REPLACE VIEW pgagent_py.job_status WITH (security_barrier) AS
SELECT v.jobid, v.jobname, v.jobenabled,
       last.jlgid AS last_run, last.jlgstart AS last_start, {{ run_status("last.jlgstatus") }} AS last_status,
       last.jlgduration AS last_duration,
       j.jobnextrun AS next_run,
       running.jlgid AS running_run, clock_timestamp() - running.jlgstart AS running_for,
       coalesce(failed.count, 0) AS failures_in_a_row
  FROM pgagent_py.visible_job v
  JOIN pgagent.pga_job j ON j.jobid = v.jobid
  LEFT JOIN LATERAL (
       SELECT l.* FROM pgagent.pga_joblog l WHERE l.jlgjobid = j.jobid AND l.jlgstatus <> 'r'
        ORDER BY l.jlgid DESC LIMIT 1) last ON true
  LEFT JOIN LATERAL (
       SELECT r.* FROM pgagent.pga_joblog r WHERE r.jlgjobid = j.jobid ORDER BY r.jlgid DESC LIMIT 1
       ) running ON j.jobagentid IS NOT NULL AND running.jlgstatus = 'r'
  LEFT JOIN LATERAL (
       -- What is neither success nor failure, such as a run that was cancelled, makes no difference.
       SELECT count(*) FROM pgagent.pga_joblog f
        WHERE last.jlgstatus <> 's' AND f.jlgjobid = j.jobid AND f.jlgstatus = 'f'
          AND f.jlgid > coalesce((SELECT s.jlgid FROM pgagent.pga_joblog s WHERE s.jlgjobid = j.jobid AND s.jlgstatus = 's'
                                   ORDER BY s.jlgid DESC LIMIT 1), 0)) failed ON true
 WHERE {{ may_see("v.jobid", "pga_joblog") }};

COMMENT ON VIEW pgagent_py.job_status IS
'One line per job of which the current role may see the log: its last finished run (id, start, status success, failure, aborted or no steps, '
'duration), the next run, the run in progress and for how long, and how many runs have failed since the last success.';
