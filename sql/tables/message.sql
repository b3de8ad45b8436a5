CREATE TABLE pgagent_py.message (
    msgid serial PRIMARY KEY,
    msgjobid integer REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    msgkind text NOT NULL CHECK (msgkind IN ('email', 'webhook', 'chat')),
    msgtarget text NOT NULL,
    msgwhen text NOT NULL CHECK (msgwhen IN ('failure', 'success', 'finish', 'recovered', 'late', 'overrun')),
    msgsubject text,
    msgtext text,
    msgeditor boolean NOT NULL DEFAULT false,
    msghtml text,
    msgattach text CHECK (msgattach IN ('csv', 'html')),
    msgcc text,
    msgbcc text
);

CREATE INDEX message_msgjobid ON pgagent_py.message (msgjobid);

-- Each turn of a launcher asks whether there is one.
CREATE INDEX message_alert ON pgagent_py.message (msgid) WHERE msgwhen IN ('late', 'overrun');

COMMENT ON TABLE pgagent_py.message IS
'Messages that launchers send at the end of runs: to whom, when, and what they say.';
COMMENT ON COLUMN pgagent_py.message.msgjobid IS
'The job whose runs the message is about. NULL: all jobs.';
COMMENT ON COLUMN pgagent_py.message.msgtarget IS
'E-mail addresses, separated by commas, or the URL of a webhook or a chat service. The URL may be a secret: only superusers read this '
'table.';
COMMENT ON COLUMN pgagent_py.message.msgwhen IS
'How the run must end: failure (failed or aborted), success, finish (in any way), or recovered (the first success '
'after failures). late: a run has not started in time; overrun: it takes too long.';
COMMENT ON COLUMN pgagent_py.message.msgtext IS
'A Jinja2 template. NULL: the launcher''s own words.';
COMMENT ON COLUMN pgagent_py.message.msghtml IS
'A Jinja2 template for the HTML form of an e-mail. NULL: it has none.';
COMMENT ON COLUMN pgagent_py.message.msgattach IS
'The form in which the rows of the steps are attached to an e-mail. NULL: they are not.';
COMMENT ON COLUMN pgagent_py.message.msgcc IS
'Further e-mail addresses, separated by commas.';
COMMENT ON COLUMN pgagent_py.message.msgbcc IS
'Further e-mail addresses, which the others do not see.';
COMMENT ON COLUMN pgagent_py.message.msgeditor IS
'A role that may edit pgagent''s tables has added it. Else a webhook is called only while the job''s owner is in '
'pgagent_py_batch.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.message', '');
SELECT pg_catalog.pg_extension_config_dump('pgagent_py.message_msgid_seq', '');
