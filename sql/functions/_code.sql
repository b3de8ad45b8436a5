CREATE OR REPLACE FUNCTION pgagent_py._code() RETURNS TABLE (name text, source text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $sql$
{{ python_modules() }}
$sql$;
COMMENT ON FUNCTION pgagent_py._code() IS
'The Python modules of pgagent_py with their source, each after those that it imports. Only _load() reads them.';
