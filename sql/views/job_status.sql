{% from "macros/words.j2" import run_status %}
{% from "macros/visible.j2" import may_see %}
CREATE OR REPLACE VIEW pgagent_py.job_status WITH (security_barrier) AS
WITH launcher AS MATERIALIZED (
    SELECT l.jagpid, a.agent, p.jagstation, a.jagknows
      FROM pgagent_py._agents_at_work() l
      JOIN pgagent.pga_jobagent p ON p.jagpid = l.jagpid
      LEFT JOIN pgagent_py.agent a ON a.jagpid = l.jagpid
     WHERE a.jagpid IS NULL OR a.jagall)
SELECT v.jobid, v.jobname, v.jobenabled,
       last.jlgid AS last_run, last.jlgstart AS last_start, {{ run_status("last.jlgstatus") }} AS last_status,
       last.jlgduration AS last_duration,
       j.jobnextrun AS next_run,
       running.jlgid AS running_run, clock_timestamp() - running.jlgstart AS running_for,
       coalesce(failed.count, 0) AS failures_in_a_row,
       waiting.no_launcher, waiting.no_launcher_since
  FROM pgagent_py.visible_job v
  JOIN pgagent.pga_job j ON j.jobid = v.jobid
  LEFT JOIN LATERAL (
       SELECT l.* FROM pgagent.pga_joblog l WHERE l.jlgjobid = j.jobid AND l.jlgstatus <> 'r'
        ORDER BY l.jlgid DESC LIMIT 1) last ON true
  LEFT JOIN LATERAL (
       SELECT r.* FROM pgagent.pga_joblog r WHERE r.jlgjobid = j.jobid ORDER BY r.jlgid DESC LIMIT 1
       ) running ON j.jobagentid IS NOT NULL AND running.jlgstatus = 'r'
  LEFT JOIN LATERAL (
       -- A run that is neither a success nor a failure, for example a cancelled one, makes no difference.
       SELECT count(*) FROM pgagent.pga_joblog f
        WHERE last.jlgstatus <> 's' AND f.jlgjobid = j.jobid AND f.jlgstatus = 'f'
          AND f.jlgid > coalesce((SELECT s.jlgid FROM pgagent.pga_joblog s WHERE s.jlgjobid = j.jobid AND s.jlgstatus = 's'
                                   ORDER BY s.jlgid DESC LIMIT 1), 0)) failed ON true
  LEFT JOIN LATERAL (
       -- Due, or in progress without an agent.
       SELECT concat_ws(' ', 'no living launcher', 'on host ' || nullif(j.jobhostagent, ''),
                        'that has ' || (SELECT string_agg(n.need, ', ' ORDER BY n.need) FROM pgagent_py.step_need n
                                         WHERE n.jobid = j.jobid)) AS no_launcher,
              coalesce(kept.waiting_since, j.jobnextrun) AS no_launcher_since
         FROM (SELECT) one
         LEFT JOIN LATERAL (
              SELECT r.waiting_since FROM pgagent_py.kept_run k JOIN pgagent_py.run r ON r.jlgid = k.jlgid
               WHERE k.jobid = j.jobid LIMIT 1) kept ON true
        WHERE ({{ python_constant("ground.vocabulary.DUE") }} OR kept.waiting_since IS NOT NULL)
          AND NOT EXISTS (
              SELECT FROM launcher l
               WHERE j.jobhostagent IN ('', l.jagstation)
                 AND CASE WHEN l.agent IS NULL
                          THEN kept.waiting_since IS NULL
                               AND NOT EXISTS (SELECT FROM pgagent_py.not_for_daemon n WHERE n.jobid = j.jobid)
                          ELSE NOT EXISTS (SELECT FROM pgagent_py.draining d WHERE d.agent = l.agent)
                               AND NOT EXISTS (SELECT FROM pgagent_py.step_need n
                                                WHERE n.jobid = j.jobid AND n.need <> ALL (l.jagknows)) END)) waiting ON true
 WHERE {{ may_see("v.jobid", "pga_joblog") }};

GRANT SELECT ON pgagent_py.job_status TO PUBLIC;

COMMENT ON VIEW pgagent_py.job_status IS
{% filter literal %}
One row per job of which the current role may see the log.

- last_run, last_start, last_duration: its last finished run (jlgid), when that started and how long it took.
- last_status: success, failure, aborted (cancelled, or its launcher is gone), or no steps.
- next_run: when it runs next. NULL: never.
- running_run, running_for: the run in progress (jlgid), and for how long.
- failures_in_a_row: how many runs have failed since the last success.
- no_launcher, no_launcher_since: why no living launcher may take the due job, or carry on its run, and since when it
  waits. NULL: one may, or nothing waits.
{% endfilter %};
