CREATE OR REPLACE FUNCTION pgagent_py._recompute_moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    IF TG_OP = 'TRUNCATE' THEN
        UPDATE pgagent.pga_job j SET jobnextrun = NULL WHERE j.jobenabled;
    ELSIF TG_TABLE_NAME = 'pga_schedule' THEN
        UPDATE pgagent.pga_job j SET jobnextrun = NULL WHERE j.jobenabled AND j.jobid = OLD.jscjobid;
    ELSE
        UPDATE pgagent.pga_job j SET jobnextrun = NULL
         WHERE j.jobenabled AND j.jobid = (SELECT s.jscjobid FROM pgagent.pga_schedule s WHERE s.jscid = OLD.jexscid);
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._recompute_moved() IS
'A schedule or exception has moved to another job, or all of them are gone at once: compute the next run of the job '
'that has lost it, or of all jobs. pgAgent''s own triggers compute that of the job that has got it.';
