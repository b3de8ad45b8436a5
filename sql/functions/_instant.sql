CREATE OR REPLACE FUNCTION pgagent_py._instant(instant timestamptz) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT coalesce(pgagent_py._micros(instant)::text,
                    trunc(extract(epoch FROM date_trunc('second', instant)) * 1000000
                          + coalesce(extract(microseconds FROM instant) % 1000000, 0))::text)
$sql$;

COMMENT ON FUNCTION pgagent_py._instant(timestamptz) IS
'Microseconds since 1970, or Infinity, as text for Python: exact in every year. extract(epoch) alone is not, in the last years.';
