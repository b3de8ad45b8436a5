CREATE TABLE pgagent_py.problem (
    jobid integer,
    jscid integer DEFAULT 0,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    error text NOT NULL,
    pause interval NOT NULL DEFAULT '1 minute',
    not_before timestamptz NOT NULL DEFAULT clock_timestamp() + interval '1 minute',
    PRIMARY KEY (jobid, jscid)
);

COMMENT ON TABLE pgagent_py.problem IS
{% filter literal %}
Jobs that are set aside, and schedules that have no next run, because something of theirs made the server fail. Others
go on. No foreign keys: to note a problem must not wait for a session that deletes the job.
{% endfilter %};
COMMENT ON COLUMN pgagent_py.problem.jscid IS
'The schedule whose next run cannot be found. 0: it is the job that cannot be claimed.';
COMMENT ON COLUMN pgagent_py.problem.pause IS
'How long the next failure is waited after: it doubles, up to an hour.';
COMMENT ON COLUMN pgagent_py.problem.not_before IS
'When it is tried again.';
