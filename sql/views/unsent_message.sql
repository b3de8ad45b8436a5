{% from "macros/visible.j2" import may_edit, sees_all %}
CREATE OR REPLACE VIEW pgagent_py.unsent_message WITH (security_barrier) AS
SELECT q.qmsid, q.qmsjobid, v.jobname, q.qmsjlgid, q.qmskind, q.qmscreated, q.qmstries,
       q.qmsnotbefore, q.qmsnotbefore IS NULL AS given_up, CASE WHEN mine.edits THEN q.qmserror END AS qmserror,
       q.qmsjobid AS jobid, q.qmsjlgid AS jlgid
  FROM pgagent_py.queued_message q
  LEFT JOIN pgagent_py.visible_job v ON v.jobid = q.qmsjobid
 {{ may_edit("q.qmsjobid") }}
 WHERE v.jobid IS NOT NULL OR q.qmskind = 'mail' AND pg_has_role(q.qmsjobowner, 'USAGE') OR {{ sees_all("pga_job") }};

GRANT SELECT ON pgagent_py.unsent_message TO PUBLIC;

COMMENT ON VIEW pgagent_py.unsent_message IS
{% filter literal %}
Messages that have not been sent yet, about jobs that the current role sees in visible_job. A role that may read
pga_job sees all.

- jobid, jlgid: the job and the run that the message is about. qmsjobid and qmsjlgid are the same.
- qmstries: how often sending it was tried.
- qmsnotbefore: when it is tried again.
- given_up: it is not tried again.
- qmserror: why it failed the last time. NULL, too, for a role that may not edit the job: it may hold an address.
{% endfilter %};
