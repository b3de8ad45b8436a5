CREATE OR REPLACE FUNCTION pgagent_py._printable(given text) RETURNS text
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM convert_from(convert_to(given, 'SQL_ASCII'), 'UTF8');
    RETURN given;
EXCEPTION WHEN character_not_in_repertoire THEN
    RETURN encode(convert_to(given, 'SQL_ASCII'), 'escape');
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._printable(text) IS
'In a database with the encoding SQL_ASCII: the text, with its bytes escaped if they are not UTF-8, which Python cannot '
'read.';
