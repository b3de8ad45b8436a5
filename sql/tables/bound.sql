CREATE TABLE pgagent_py.bound (
    bndname text NOT NULL,
    jobowner name,
    jobownerid oid,
    bndvalue bigint NOT NULL CHECK (bndvalue >= 0)
);

-- Without a primary key: publications of all tables would refuse deletes.
ALTER TABLE pgagent_py.bound REPLICA IDENTITY FULL;

CREATE UNIQUE INDEX bound_name ON pgagent_py.bound (bndname, coalesce(jobowner, ''));

COMMENT ON TABLE pgagent_py.bound IS
'What set_bound() has set: how much a role may have. Bounds without a row have their default.';
COMMENT ON COLUMN pgagent_py.bound.jobowner IS
'The role. NULL: every role that has no row of its own.';
COMMENT ON COLUMN pgagent_py.bound.jobownerid IS
'The id of jobowner. It counts, not the name.';

SELECT pg_catalog.pg_extension_config_dump('pgagent_py.bound', '');

CREATE SEQUENCE pgagent_py.adding_ticket;

COMMENT ON SEQUENCE pgagent_py.adding_ticket IS
{% filter literal %}
Each call that adds something to a job with an owner draws a number. A session that draws two which follow each other knows that
no other session has added anything meanwhile: what it has counted of the owner's things still holds.
{% endfilter %};
