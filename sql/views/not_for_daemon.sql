CREATE OR REPLACE VIEW pgagent_py.not_for_daemon AS
SELECT o.jobid FROM pgagent_py.job_option o WHERE o.jobowner IS NOT NULL OR o.jobcatchup IS NOT NULL OR o.jobwindow IS NOT NULL
 UNION ALL
SELECT j.jobid FROM pgagent_py.job_limit l JOIN pgagent.pga_job j ON j.jobjclid = l.jclid WHERE l.jobwindow IS NOT NULL
 UNION ALL
SELECT n.jobid FROM pgagent_py.step_need n
 UNION ALL
SELECT k.jobid FROM pgagent_py.skip k WHERE NOT k.skpused;

COMMENT ON VIEW pgagent_py.not_for_daemon IS
'The jobs that pgAgent''s daemon does not get: those with an owner or a window, those that need what it does not have, '
'and those that are to catch up or have times to skip.';
