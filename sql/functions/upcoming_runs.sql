CREATE OR REPLACE FUNCTION pgagent_py.upcoming_runs(until timestamptz DEFAULT now() + interval '1 day', after timestamptz DEFAULT now(),
    count integer DEFAULT 100) RETURNS TABLE (at timestamptz, jobid integer, jobname text)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $plpgsql$
#variable_conflict use_column
BEGIN
    IF count < 0 THEN
        RAISE EXCEPTION 'count must not be negative: %', count USING
            ERRCODE = 'invalid_parameter_value', HINT = 'Ask for one run or more.';
    END IF;
    RETURN QUERY
        SELECT u.at::timestamptz, u.jobid, u.jobname
          FROM pgagent_py._upcoming_runs(pgagent_py._instant(until), pgagent_py._instant(after), upcoming_runs.count) u
         ORDER BY 1, 3, 2 LIMIT upcoming_runs.count;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.upcoming_runs(timestamptz, timestamptz, integer) IS
{% filter literal %}
Return the next runs of all enabled jobs that the role may see, by time, then name: when their schedules fire, or when
the window opens that a run waits for. Several
schedules of a job that fire at one time are one run. A job that a launcher's start or another job sets off has no such
times.

- until: the last time that matters. Default: one day from now.
- after: the times are later than this. Default: now.
- count: how many at most.

Errors: 22023: count is negative.
{% endfilter %};
