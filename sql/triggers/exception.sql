CREATE OR REPLACE FUNCTION pgagent_py._recompute_excepted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    UPDATE pgagent.pga_job j SET jobnextrun = NULL
     WHERE j.jobenabled AND j.jobid IN (SELECT s.jscjobid FROM pgagent.pga_schedule s WHERE s.jscid IN (OLD.jexscid, NEW.jexscid));
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._recompute_excepted() IS
'An exception of a schedule has come or gone: its job gets its next run again.';

DROP TRIGGER IF EXISTS exception_recompute ON pgagent_py.exception;
CREATE TRIGGER exception_recompute AFTER INSERT OR UPDATE OR DELETE ON pgagent_py.exception
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._recompute_excepted();
