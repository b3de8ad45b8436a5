CREATE OR REPLACE FUNCTION pgagent_py._masked(connstr text) RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT regexp_replace(regexp_replace(connstr,
               '(://[^:@/?#\s]*):.*@', '\1:***@', 'g'),
               '((?:password|secret)\s*=\s*)(?:''(?:[^''\\]|\\.)*(?:''|\\?$)|(?:[^\s''\\&]|\\.)+)', '\1***', 'gi')
$sql$;

COMMENT ON FUNCTION pgagent_py._masked(text) IS
'A connection string with its passwords masked, in the form of keywords or of a URI. It rather masks too much.';
