CREATE OR REPLACE FUNCTION pgagent_py.version() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $sql$ SELECT '{{ build }}' $sql$;

COMMENT ON FUNCTION pgagent_py.version() IS
'Return the extension''s version, a plus sign and a hash of its Python code: what this database executes.';
