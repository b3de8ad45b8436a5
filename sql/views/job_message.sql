{% from "macros/visible.j2" import may_edit, sees_all %}
CREATE OR REPLACE VIEW pgagent_py.job_message WITH (security_barrier) AS
SELECT m.msgid, m.msgjobid, v.jobname, m.msgkind,
       CASE WHEN NOT mine.edits THEN NULL
            WHEN m.msgkind = 'email' THEN m.msgtarget
            WHEN m.msgkind = 'chat' THEN substring(m.msgtarget FROM '^[^:]*')
            ELSE substring(m.msgtarget FROM '^https?://(?:[^/?#]*@)?(\[[^]]*\]|[^/?#:@]+)') END AS msgtarget,
       m.msgwhen, CASE WHEN mine.edits THEN m.msgsubject END AS msgsubject,
       CASE WHEN mine.edits THEN m.msgtext END AS msgtext,
       CASE WHEN mine.edits THEN m.msghtml END AS msghtml, m.msgattach, CASE WHEN mine.edits THEN m.msgcc END AS msgcc,
       CASE WHEN mine.edits THEN m.msgbcc END AS msgbcc, m.msgjobid AS jobid
  FROM pgagent_py.message m
  LEFT JOIN pgagent_py.visible_job v ON v.jobid = m.msgjobid
 {{ may_edit("m.msgjobid") }}
 WHERE v.jobid IS NOT NULL OR (m.msgjobid IS NULL AND {{ sees_all("pga_job") }});

GRANT SELECT ON pgagent_py.job_message TO PUBLIC;

COMMENT ON VIEW pgagent_py.job_message IS
{% filter literal %}
The messages that add_message() has set up: for jobs that the current role sees in visible_job, and for all jobs if it
may read pga_job. msgtarget, msgsubject and msgtext are NULL for a role that may not edit the job.

- jobid: the job whose runs the message is about. NULL: all jobs. msgjobid is the same.
- msgtarget: e-mail addresses; of a webhook the host only, of a chat the service, since the URL may be a secret.
{% endfilter %};
