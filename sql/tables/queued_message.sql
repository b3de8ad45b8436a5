-- What a message says is copied: its job and its run may be gone before it is sent. Not dumped: a restored database must not
-- send the old one's mail.
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
    qmserror text
);

CREATE INDEX queued_message_due ON pgagent_py.queued_message (qmsnotbefore);

COMMENT ON TABLE pgagent_py.queued_message IS
'Messages that wait to be sent by a launcher. A row goes when it has been sent.';
COMMENT ON COLUMN pgagent_py.queued_message.qmsnotbefore IS
'When it may be tried (again). While a launcher tries, this is the time after which that launcher counts as gone. NULL: given up.';
COMMENT ON COLUMN pgagent_py.queued_message.qmserror IS 'Why the last try failed; names no target.';
