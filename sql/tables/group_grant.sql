CREATE TABLE pgagent_py.group_grant (
    jobgroup text NOT NULL,
    jobowner name NOT NULL,
    jobownerid oid,
    PRIMARY KEY (jobgroup, jobowner)
);

COMMENT ON TABLE pgagent_py.group_grant IS
'Which owners may have their jobs in which groups: the one that has made the group, and those that grant_group() names.';
COMMENT ON COLUMN pgagent_py.group_grant.jobownerid IS
'The id of jobowner. It counts, not the name.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.group_grant', '');
