CREATE OR REPLACE FUNCTION pgagent_py._knows_code(version uuid, isolation text) RETURNS boolean
LANGUAGE plpython3u VOLATILE
AS {{ python_call("ground.foreign.knows_code", "version", "isolation") }};

COMMENT ON FUNCTION pgagent_py._knows_code(uuid, text) IS
'Whether _refuse_foreign_code() need not be called: this session has just found no code of others at this version of it, on tables '
'where they can hang none, and its transaction, of this isolation, has no old snapshot.';
