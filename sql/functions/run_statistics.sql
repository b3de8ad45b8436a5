CREATE OR REPLACE FUNCTION pgagent_py.run_statistics(since timestamptz DEFAULT now() - interval '7 days')
RETURNS TABLE (jobid integer, jobname text, runs bigint, failures bigint, median_duration interval, p95_duration interval,
               median_lateness interval, p95_lateness interval, runs_before bigint, failures_before bigint,
               median_duration_before interval, duration_trend double precision)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $plpgsql$
DECLARE
    before timestamptz := since - (now() - since);
    first integer := pgagent_py._first_run(before);
BEGIN
    RETURN QUERY
    WITH run AS MATERIALIZED (
        SELECT r.jobid, r.jobname, r.jlgstart >= since AS recent, r.run_status, extract(epoch FROM r.jlgduration)::float8 AS seconds,
               CASE WHEN r.trigger IS DISTINCT FROM 'backfill' THEN extract(epoch FROM r.lateness)::float8 END AS late
          FROM pgagent_py.visible_run r WHERE r.jlgid >= first AND r.jlgstart >= before),
    summary AS (
        SELECT r.jobid, min(r.jobname) AS jobname, r.recent,
               count(*) AS runs, count(*) FILTER (WHERE r.run_status IN ('failure', 'aborted')) AS failures,
               percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY r.seconds) AS seconds,
               percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY r.late) AS late
          FROM run r GROUP BY r.jobid, r.recent)
    SELECT n.jobid, n.jobname, n.runs, n.failures,
           make_interval(secs => n.seconds[1]), make_interval(secs => n.seconds[2]),
           make_interval(secs => n.late[1]), make_interval(secs => n.late[2]),
           coalesce(b.runs, 0), coalesce(b.failures, 0), make_interval(secs => b.seconds[1]), n.seconds[1] / nullif(b.seconds[1], 0)
      FROM summary n LEFT JOIN summary b ON b.jobid = n.jobid AND NOT b.recent
     WHERE n.recent ORDER BY n.jobname, n.jobid;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.run_statistics(timestamptz) IS
{% filter literal %}
Return how the jobs that the role may see have run since some time, beside the period of the same length before it. A
job without a run since then has no row.

- since: the beginning. Default: 7 days ago.

Columns: runs; failures (failed or aborted runs); the median and the 95th percentile of the duration, and of the
lateness, which is how long after its time a run began (NULL where that is not known; backfills do not count); runs, failures and the median
of the duration in the period before; duration_trend, the median divided by that of the period before: 2 is twice as
long.
{% endfilter %};
