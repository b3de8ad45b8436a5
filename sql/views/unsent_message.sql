CREATE OR REPLACE VIEW pgagent_py.unsent_message WITH (security_barrier) AS
SELECT q.qmsid, q.qmsjobid, v.jobname, q.qmsjlgid, q.qmskind, q.qmscreated, q.qmstries,
       q.qmsnotbefore, q.qmsnotbefore IS NULL AS given_up, q.qmserror,
       q.qmsjobid AS jobid, q.qmsjlgid AS jlgid
  FROM pgagent_py.queued_message q
  LEFT JOIN pgagent_py.visible_job v ON v.jobid = q.qmsjobid
 WHERE v.jobid IS NOT NULL OR has_table_privilege('pgagent.pga_job'::regclass, 'SELECT');

COMMENT ON VIEW pgagent_py.unsent_message IS
'Messages that have not been sent (yet), of the jobs that the current role may see: how often that was tried, when it is tried '
'again, and why it failed the last time.';
