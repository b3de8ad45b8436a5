CREATE OR REPLACE FUNCTION pgagent_py._forget_skip(job integer) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    -- A restore, which sets this, brings the schedules back bit by bit.
    IF current_setting('check_function_bodies')::boolean THEN
        DELETE FROM pgagent_py.skip k
         WHERE k.jobid = job AND k.skprules IS DISTINCT FROM (SELECT f.rules FROM pgagent_py.firing_rule f WHERE f.jobid = job);
    END IF;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._forget_skip(integer) IS
'Take back what skip_next_run() has left out of a job if its schedules have changed since. The trigger calls it that finds '
'the next run.';
