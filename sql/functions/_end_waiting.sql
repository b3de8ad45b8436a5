CREATE OR REPLACE FUNCTION pgagent_py._end_waiting() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF EXISTS (SELECT FROM pgagent_py.comment_line w
                WHERE left(w.linafter, 100) = left(NEW.jobname, 100) AND w.linafter IS NOT NULL AND w.jobafter IS NULL) THEN
        PERFORM pgagent_py._refuse_foreign_code();
        PERFORM pgagent_py._find_awaited(NEW.jobname);
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._end_waiting() IS
'A job has a new name: it may be the one that @after lines of other jobs wait for.';
