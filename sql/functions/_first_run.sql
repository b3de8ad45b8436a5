CREATE OR REPLACE FUNCTION pgagent_py._first_run(since timestamptz) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    low bigint;
    high bigint;
    middle bigint;
    found record;
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    SELECT min(l.jlgid), max(l.jlgid) + 1::bigint INTO low, high FROM pgagent.pga_joblog l;
    -- Ids rise with the start of the runs: those from high on have begun at since or later, those before low earlier.
    WHILE low < high LOOP
        middle := (low + high) / 2;
        SELECT l.jlgid, l.jlgstart INTO STRICT found FROM pgagent.pga_joblog l WHERE l.jlgid <= middle ORDER BY l.jlgid DESC LIMIT 1;
        IF found.jlgid < low OR found.jlgstart < since THEN
            low := middle + 1;
        ELSE
            high := found.jlgid;
        END IF;
    END LOOP;
    RETURN least(high, 2147483647);
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._first_run(timestamptz) IS
'The id of the first run that has begun at this time or later, by halving: the log has no index on the time.';
