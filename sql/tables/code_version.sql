CREATE TABLE pgagent_py.code_version (
    version uuid PRIMARY KEY DEFAULT gen_random_uuid()
);

INSERT INTO pgagent_py.code_version DEFAULT VALUES;

COMMENT ON TABLE pgagent_py.code_version IS
'One row: an id that changes with each command that may have hung code on pgAgent''s tables. It never comes again, even '
'after a rollback. Sessions that know the id need not look at the tables again (foreign_code).';
