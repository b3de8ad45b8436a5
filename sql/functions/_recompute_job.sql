CREATE OR REPLACE FUNCTION pgagent_py._recompute_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    UPDATE pgagent.pga_job j SET jobnextrun = NULL
     WHERE j.jobenabled AND j.jobid IN (SELECT s.jscjobid FROM pgagent.pga_schedule s WHERE s.jscid IN (OLD.jscid, NEW.jscid));
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._recompute_job() IS 'The options of a schedule have changed: its job gets its next run anew.';
