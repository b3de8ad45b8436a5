CREATE OR REPLACE FUNCTION pgagent_py.next_runs(job integer, count integer DEFAULT 10, after timestamptz DEFAULT now())
RETURNS SETOF timestamptz
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF NOT EXISTS (SELECT FROM pgagent_py.visible_job v WHERE v.jobid = job) THEN
        RAISE EXCEPTION 'job % does not exist', job USING
            ERRCODE = 'invalid_parameter_value', HINT = 'Look at jobid in the view pgagent_py.visible_job.';
    ELSIF count < 0 THEN
        RAISE EXCEPTION 'count must not be negative: %', count USING
            ERRCODE = 'invalid_parameter_value', HINT = 'Ask for one run or more.';
    END IF;
    RETURN QUERY SELECT * FROM pgagent_py._next_runs(job, count, pgagent_py._instant(after));
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.next_runs(integer, integer, timestamptz) IS
{% filter literal %}
Return the next runs of a job in order: when its enabled schedules fire. A time at which several fire comes once.
There are fewer rows than asked for when the schedules end.

- job: its id (jobid).
- count: how many.
- after: the times are later than this. Default: now.

Errors: 22023: there is no such job, or the role may not see it, or count is negative.
{% endfilter %};
