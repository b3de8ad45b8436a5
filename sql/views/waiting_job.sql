CREATE OR REPLACE VIEW pgagent_py.waiting_job AS
WITH launcher AS MATERIALIZED (
    SELECT l.jagpid, a.agent, p.jagstation, a.jagknows
      FROM pgagent_py._agents_at_work() l
      JOIN pgagent.pga_jobagent p ON p.jagpid = l.jagpid
      LEFT JOIN pgagent_py.agent a ON a.jagpid = l.jagpid
     WHERE a.jagpid IS NULL OR a.jagall)
SELECT j.jobid, coalesce(kept.waiting_since, j.jobnextrun) AS no_launcher_since
  FROM (SELECT j.jobid, NULL::timestamptz AS waiting_since FROM pgagent.pga_job j WHERE {{ python_constant("ground.vocabulary.DUE") }}
         UNION ALL
        SELECT r.jobid, r.waiting_since
          FROM pgagent_py.kept_run k JOIN pgagent_py.run r ON r.jlgid = k.jlgid WHERE r.waiting_since IS NOT NULL) kept
  JOIN pgagent.pga_job j ON j.jobid = kept.jobid
 WHERE NOT EXISTS (
       SELECT FROM launcher l
        WHERE j.jobhostagent IN ('', l.jagstation)
          AND CASE WHEN l.agent IS NULL
                   THEN kept.waiting_since IS NULL
                        AND NOT EXISTS (SELECT FROM pgagent_py.not_for_daemon n WHERE n.jobid = j.jobid)
                   ELSE NOT EXISTS (SELECT FROM pgagent_py.draining d WHERE d.agent = l.agent)
                        AND NOT EXISTS (SELECT FROM pgagent_py.step_need n
                                         WHERE n.jobid = j.jobid AND n.need <> ALL (l.jagknows)) END);

COMMENT ON VIEW pgagent_py.waiting_job IS
'The jobs that are due, or whose run is to be carried on by another agent, and that no living agent may take: since when '
'they wait.';
