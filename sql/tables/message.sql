CREATE TABLE pgagent_py.message (
    msgid serial PRIMARY KEY,
    msgjobid integer REFERENCES pgagent.pga_job (jobid) ON DELETE CASCADE,
    msgkind text NOT NULL CHECK (msgkind IN ('email', 'webhook')),
    msgtarget text NOT NULL,
    msgwhen text NOT NULL CHECK (msgwhen IN ('failure', 'success', 'finish')),
    msgsubject text,
    msgtext text
);

CREATE INDEX message_msgjobid ON pgagent_py.message (msgjobid);

COMMENT ON TABLE pgagent_py.message IS 'Messages that launchers send at the end of runs: to whom, when, and what they say.';
COMMENT ON COLUMN pgagent_py.message.msgjobid IS 'Job whose runs it tells of. NULL: of all jobs.';
COMMENT ON COLUMN pgagent_py.message.msgtarget IS
'E-mail addresses, separated by commas, or the URL of a webhook, which may be a secret: nobody but superusers reads this table.';
COMMENT ON COLUMN pgagent_py.message.msgwhen IS 'failure (which includes aborted), success, or finish, which is any end.';
COMMENT ON COLUMN pgagent_py.message.msgtext IS 'Jinja2 template. NULL: the launcher''s own words.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.message', '');
SELECT pg_catalog.pg_extension_config_dump('pgagent_py.message_msgid_seq', '');
