CREATE OR REPLACE FUNCTION pgagent_py._recompute_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    -- Where one statement writes both rows, pgAgent's trigger for the schedule does it, and sees the options.
    UPDATE pgagent.pga_job j SET jobnextrun = NULL
     WHERE j.jobenabled AND j.jobid IN (
           SELECT s.jscjobid FROM pgagent.pga_schedule s
            WHERE s.jscid IN (OLD.jscid, NEW.jscid)
              AND NOT EXISTS (SELECT FROM pgagent_py.schedule_option o WHERE o.jscid = s.jscid AND o.xmin = s.xmin AND o.cmin = s.cmin));
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._recompute_job() IS
'The options of a schedule have changed: its job gets its next run again.';

DROP TRIGGER IF EXISTS schedule_option_recompute ON pgagent_py.schedule_option;
CREATE TRIGGER schedule_option_recompute AFTER INSERT OR UPDATE OR DELETE ON pgagent_py.schedule_option
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._recompute_job();
