CREATE TABLE pgagent_py.code_version (
    version bigint PRIMARY KEY
);

INSERT INTO pgagent_py.code_version (version) VALUES (1);

COMMENT ON TABLE pgagent_py.code_version IS
'One row: a number that grows with each command that may have hung code on pgAgent''s tables. Sessions that know the '
'number need not look at the tables again (foreign_code).';
