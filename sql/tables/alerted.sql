-- No foreign key: to note an alert must not wait for a session that deletes the job.
CREATE TABLE pgagent_py.alerted (
    jobid integer,
    alert text CHECK (alert IN ('late', 'overrun')),
    since timestamptz NOT NULL,
    PRIMARY KEY (jobid, alert)
);

COMMENT ON TABLE pgagent_py.alerted IS
'The jobs of which launchers have told that they are late, or overrun: once for each time.';
COMMENT ON COLUMN pgagent_py.alerted.since IS
'When the run that is late was due; when the job that is overrun was claimed.';
