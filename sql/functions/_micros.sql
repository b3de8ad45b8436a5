CREATE OR REPLACE FUNCTION pgagent_py._micros(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE
AS $sql$
    SELECT CASE WHEN isfinite(instant)
                THEN extract(epoch FROM date_trunc('second', instant))::bigint * 1000000 + extract(microseconds FROM instant)::bigint % 1000000
           END
$sql$;

COMMENT ON FUNCTION pgagent_py._micros(timestamptz) IS
'Microseconds since 1970, exact in every year: a float8 of seconds has room for them until 2242 only. NULL: infinite. The '
'caller pins the search_path.';
