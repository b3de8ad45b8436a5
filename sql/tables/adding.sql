-- A row for each role, which only its own sessions change. An advisory lock could be held by any role.
CREATE TABLE pgagent_py.adding (
    jobownerid oid PRIMARY KEY,
    addedat timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE pgagent_py.adding IS
'The roles that have called add_job() with if_exists, and when they did last. Thus of two calls at once the second waits, and finds '
'the job that the first has added.';
COMMENT ON COLUMN pgagent_py.adding.jobownerid IS
'The role. 0: all that may edit pgagent''s tables, whose jobs have no owner.';
