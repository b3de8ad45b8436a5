CREATE TABLE pgagent_py.job_change (
    chgid bigserial,
    chgat timestamptz NOT NULL DEFAULT statement_timestamp(),
    -- Not current_user: in a function with the rights of its owner that is the owner.
    chgby text NOT NULL DEFAULT coalesce(nullif(current_setting('role'), 'none') || CASE
        WHEN current_setting('role') <> session_user THEN format(' (session %s)', session_user) ELSE '' END, session_user),
    jobid integer,
    chgobject text NOT NULL,
    chgobjectid integer,
    chgname text,
    chgaction text NOT NULL CHECK (chgaction IN ('insert', 'update', 'delete')),
    chgcolumn text,
    chgold text,
    chgnew text,
    chgprivate boolean NOT NULL DEFAULT false,
    chgowner oid,
    chginstallation uuid,
    -- With the time: the rows of another server, which a subscription to all tables brings, have the same numbers.
    PRIMARY KEY (chgat, chgid)
);

CREATE INDEX job_change_jobid ON pgagent_py.job_change (jobid, chgat);

COMMENT ON TABLE pgagent_py.job_change IS
{% filter literal %}
Who has changed what of the jobs, when, from what to what: a row for each column that was changed, and one for each
object that was added or dropped. Triggers write it (macros/changes.j2). No foreign keys: it outlives the jobs.
{% endfilter %};
COMMENT ON COLUMN pgagent_py.job_change.chgby IS
'The role that has asked for it, as SET ROLE had it; behind it the session''s, if that is another.';
COMMENT ON COLUMN pgagent_py.job_change.jobid IS
'NULL: it concerns no single job.';
COMMENT ON COLUMN pgagent_py.job_change.chgname IS
'The name of the object; of what has none, the name that it is found by.';
COMMENT ON COLUMN pgagent_py.job_change.chgcolumn IS
'NULL: the object was added or dropped. Then chgnew or chgold is a JSON object of its columns, without private ones.';
COMMENT ON COLUMN pgagent_py.job_change.chgprivate IS
'Only roles that may edit the job see the values.';
COMMENT ON COLUMN pgagent_py.job_change.chgowner IS
'The owner of a job that was dropped, who still sees what was done to it. The id counts in chginstallation only.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_change', '');
SELECT pg_catalog.pg_extension_config_dump('pgagent_py.job_change_chgid_seq', '');
