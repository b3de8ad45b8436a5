CREATE OR REPLACE VIEW pgagent_py.job_message WITH (security_barrier) AS
SELECT m.msgid, m.msgjobid, v.jobname, m.msgkind,
       CASE m.msgkind WHEN 'email' THEN m.msgtarget ELSE substring(m.msgtarget FROM '^https?://(?:[^/?#]*@)?(\[[^]]*\]|[^/?#:@]+)') END AS msgtarget,
       m.msgwhen, m.msgsubject, m.msgtext, m.msgjobid AS jobid
  FROM pgagent_py.message m
  LEFT JOIN pgagent_py.visible_job v ON v.jobid = m.msgjobid
 WHERE v.jobid IS NOT NULL OR (m.msgjobid IS NULL AND has_table_privilege('pgagent.pga_job'::regclass, 'SELECT'));

GRANT SELECT ON pgagent_py.job_message TO PUBLIC;

COMMENT ON VIEW pgagent_py.job_message IS
{% filter literal %}
The messages that add_message() has set up: for jobs that the current role sees in visible_job, and for all jobs if it
may read pga_job.

- jobid: the job whose runs the message is about. NULL: all jobs. msgjobid is the same.
- msgtarget: e-mail addresses; of a webhook the host only, since the URL may be a secret.
{% endfilter %};
