CREATE TABLE pgagent_py.code_version (
    version uuid NOT NULL DEFAULT gen_random_uuid(),
    one boolean PRIMARY KEY DEFAULT true CHECK (one)
);

INSERT INTO pgagent_py.code_version DEFAULT VALUES;

COMMENT ON TABLE pgagent_py.code_version IS
'One row: an id that changes with each command that may have hung code on pgAgent''s tables. It never comes again, even '
'after a rollback. Sessions that know the id need not look at the tables again (foreign_code). The '
'key keeps another server''s row out, which a subscription to all tables would copy.';
