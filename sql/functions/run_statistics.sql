CREATE OR REPLACE FUNCTION pgagent_py.run_statistics(since timestamptz DEFAULT now() - interval '7 days', jobs integer[] DEFAULT NULL)
RETURNS TABLE (jobid integer, jobname text, runs bigint, failures bigint, median_duration interval, p95_duration interval,
               median_lateness interval, p95_lateness interval, runs_before bigint, failures_before bigint,
               median_duration_before interval, duration_trend double precision)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
-- It plans for the number of the jobs, and a million runs fit in.
SET plan_cache_mode = force_custom_plan
SET work_mem = '64MB'
AS $plpgsql$
DECLARE
    -- Before the beginning of all time there is nothing to compare with.
    before timestamptz := CASE WHEN isfinite(since) THEN since - (now() - since) ELSE since END;
    first integer := pgagent_py._first_run(before);
    ids integer[] := coalesce(jobs, ARRAY(SELECT v.jobid FROM pgagent_py.job_status v));
BEGIN
    RETURN QUERY
    WITH summary AS MATERIALIZED (
        SELECT r.jobid, r.jlgstart >= since AS recent,
               count(*) AS runs, count(*) FILTER (WHERE r.run_status IN ('failure', 'aborted')) AS failures,
               percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY date_part('epoch', r.jlgduration)) AS seconds,
               percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
                   ORDER BY CASE WHEN r.trigger IS DISTINCT FROM 'backfill' THEN date_part('epoch', r.lateness) END) AS late
          FROM pgagent_py.visible_run r
         WHERE r.jobid = ANY (ids) AND r.jlgid >= first AND r.jlgstart >= before GROUP BY 1, 2)
    SELECT n.jobid, v.jobname, n.runs, n.failures,
           make_interval(secs => n.seconds[1]), make_interval(secs => n.seconds[2]),
           make_interval(secs => n.late[1]), make_interval(secs => n.late[2]),
           coalesce(b.runs, 0), coalesce(b.failures, 0), make_interval(secs => b.seconds[1]), n.seconds[1] / nullif(b.seconds[1], 0)
      FROM summary n JOIN pgagent_py.job_status v ON v.jobid = n.jobid
      LEFT JOIN summary b ON b.jobid = n.jobid AND NOT b.recent
     WHERE n.recent AND v.jobid = ANY (ids) ORDER BY v.jobname, n.jobid;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.run_statistics(timestamptz, integer[]) IS
{% filter literal %}
Return how the jobs that the role may see have run since some time, beside the period of the same length before it. A
job without a run since then has no row.

- since: the beginning. Default: 7 days ago.
- jobs: the ids (jobid) of the only jobs that matter. Default: all that the role may see.

Columns: runs; failures (failed or aborted runs); the median and the 95th percentile of the duration, and of the
lateness, which is how long after its time a run began (NULL where that is not known; backfills do not count); runs, failures and the median
of the duration in the period before; duration_trend, the median divided by that of the period before: 2 is twice as
long.
{% endfilter %};
