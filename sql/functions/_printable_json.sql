CREATE OR REPLACE FUNCTION pgagent_py._printable_json(given text) RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $sql$
    -- A backslash that stood there is doubled, one of an escaped byte is not: in JSON it must be the other way round.
    SELECT CASE WHEN p.text = given THEN given
                ELSE replace(replace(replace(p.text, E'\\\\', E'\x01'), E'\\', E'\\\\'), E'\x01', E'\\') END
      FROM pgagent_py._printable(given) p (text);
$sql$;

COMMENT ON FUNCTION pgagent_py._printable_json(text) IS
'_printable() for a text that is JSON.';
