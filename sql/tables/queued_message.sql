-- The contents of a message are copied, because its job and its run may be gone before it is sent.
-- The table is not dumped: a restored database must not send the old one's mail.
CREATE TABLE pgagent_py.queued_message (
    qmsid bigserial PRIMARY KEY,
    qmsjobid integer NOT NULL,
    qmsjlgid integer NOT NULL,
    qmskind text NOT NULL,
    qmstarget text NOT NULL,
    qmssubject text,
    qmstext text,
    qmsdata jsonb NOT NULL,
    qmstries integer NOT NULL DEFAULT 0,
    qmscreated timestamptz NOT NULL DEFAULT now(),
    qmsnotbefore timestamptz DEFAULT now(),
    qmserror text,
    qmsowner oid,
    qmsjobowner oid NOT NULL DEFAULT 0,
    qmstaken timestamptz,
    qmshtml text,
    qmsattach text,
    qmscc text,
    qmsbcc text
);

CREATE INDEX queued_message_due ON pgagent_py.queued_message (qmsnotbefore);

-- Each owner has a number of queued messages at most, and one launcher at a time sends them.
CREATE INDEX queued_message_owner ON pgagent_py.queued_message (qmsjobowner);
CREATE INDEX queued_message_taken ON pgagent_py.queued_message (qmsjobowner) WHERE qmstaken IS NOT NULL;

COMMENT ON TABLE pgagent_py.queued_message IS
'Messages that wait for a launcher to send them. A row goes when it has been sent.';
COMMENT ON COLUMN pgagent_py.queued_message.qmsnotbefore IS
'When the next try may begin. While a launcher tries, this is when that launcher counts as gone. NULL: given up.';
COMMENT ON COLUMN pgagent_py.queued_message.qmskind IS
'email or webhook, with templates and the data of a run; mail: an e-mail of send_email(), as it is, with the data of its table.';
COMMENT ON COLUMN pgagent_py.queued_message.qmserror IS
'Why the last try failed. It names no target.';
COMMENT ON COLUMN pgagent_py.queued_message.qmsowner IS
'The role that must be in pgagent_py_batch when it is sent; of a mail in pgagent_py_email. NULL: none.';
COMMENT ON COLUMN pgagent_py.queued_message.qmsjobowner IS
'The owner of the job. 0: none.';
COMMENT ON COLUMN pgagent_py.queued_message.qmstaken IS
'When a launcher has taken it, while it is being sent.';
