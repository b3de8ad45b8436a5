-- Rows are only inserted: a row to count with would let the sessions of a role wait for each other.
CREATE TABLE pgagent_py.sent_email (
    semroleid oid NOT NULL,
    semat timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Without a primary key: publications of all tables would refuse deletes.
ALTER TABLE pgagent_py.sent_email REPLICA IDENTITY FULL;

CREATE INDEX sent_email_role ON pgagent_py.sent_email (semroleid, semat);

COMMENT ON TABLE pgagent_py.sent_email IS
'The mails that roles have sent by send_email() in the last hour, which the bound emails counts.';
