CREATE OR REPLACE VIEW pgagent_py.job_message WITH (security_barrier) AS
SELECT m.msgid, m.msgjobid, v.jobname, m.msgkind,
       CASE m.msgkind WHEN 'email' THEN m.msgtarget ELSE substring(m.msgtarget FROM '^https?://(?:[^/?#]*@)?(\[[^]]*\]|[^/?#:@]+)') END AS msgtarget,
       m.msgwhen, m.msgsubject, m.msgtext, m.msgjobid AS jobid
  FROM pgagent_py.message m
  LEFT JOIN pgagent_py.visible_job v ON v.jobid = m.msgjobid
 WHERE v.jobid IS NOT NULL OR (m.msgjobid IS NULL AND has_table_privilege('pgagent.pga_job'::regclass, 'SELECT'));

COMMENT ON VIEW pgagent_py.job_message IS
'Messages of the jobs that the current role may see, and those of all jobs (msgjobid NULL) for who may read pgagent.pga_job. Of a '
'webhook''s URL, which may be a secret, only the host is shown.';
