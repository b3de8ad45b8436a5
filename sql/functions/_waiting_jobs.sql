-- Estimates of what it takes are far too high, and just-in-time compilation would then take seconds.
CREATE OR REPLACE FUNCTION pgagent_py._waiting_jobs() RETURNS TABLE (jobid integer, since timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    RETURN QUERY SELECT w.jobid, w.no_launcher_since FROM pgagent_py.waiting_job w;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._waiting_jobs() IS
'The rows of waiting_job, for job_status. Every role may read the ids.';
