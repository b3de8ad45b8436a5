CREATE OR REPLACE FUNCTION pgagent_py.next_runs(job integer, count integer DEFAULT 10, after timestamptz DEFAULT now())
RETURNS SETOF timestamptz
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF NOT EXISTS (SELECT FROM pgagent_py.visible_job v WHERE v.jobid = job) THEN
        RAISE EXCEPTION 'job % does not exist', job USING
            ERRCODE = 'invalid_parameter_value', HINT = 'Look at jobid in pgagent.pga_job.';
    ELSIF count < 0 THEN
        RAISE EXCEPTION 'count must not be negative: %', count USING
            ERRCODE = 'invalid_parameter_value', HINT = 'Ask for one run or more.';
    END IF;
    RETURN QUERY SELECT * FROM pgagent_py._next_runs(job, count, extract(epoch FROM after)::float8);
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.next_runs(integer, integer, timestamptz) IS
'The next count runs (default 10) of a job later than after (default now()): its enabled schedules merged, in order, without '
'repeats; fewer when they end. Error 22023: there is no such job, or count is negative.';
