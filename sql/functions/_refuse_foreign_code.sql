CREATE OR REPLACE FUNCTION pgagent_py._refuse_foreign_code() RETURNS void
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{ python_call("ground.foreign.refuse_here") }};

COMMENT ON FUNCTION pgagent_py._refuse_foreign_code() IS
'Raise an error if others'' code would be executed by what we do to pgAgent''s tables.';
