CREATE OR REPLACE FUNCTION pgagent_py._micros(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE
AS $sql$
    SELECT CASE WHEN pg_catalog.isfinite(instant) AND instant OPERATOR(pg_catalog.<) pg_catalog.to_timestamp(9223372036854)
                THEN extract(epoch FROM pg_catalog.date_trunc('second', instant))::bigint OPERATOR(pg_catalog.*) 1000000
                     OPERATOR(pg_catalog.+) (extract(microseconds FROM instant)::bigint OPERATOR(pg_catalog.%) 1000000)
           END
$sql$;

COMMENT ON FUNCTION pgagent_py._micros(timestamptz) IS
'Microseconds since 1970, exact in every year: a float8 of seconds has room for them until 2242 only. NULL: infinite, or too far for a '
'bigint, which is later than the year 294246. It can be inlined: it names no object that depends on the search_path.';
