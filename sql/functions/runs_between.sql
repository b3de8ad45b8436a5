CREATE OR REPLACE FUNCTION pgagent_py.runs_between(since timestamptz, until timestamptz DEFAULT 'infinity', job integer DEFAULT NULL,
    jobs integer[] DEFAULT NULL)
RETURNS TABLE (jlgid integer, jobid integer, jobname text, run_status text, jlgstart timestamptz, jlgduration interval)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
-- It plans for the number of the jobs.
SET plan_cache_mode = force_custom_plan
AS $plpgsql$
#variable_conflict use_column
DECLARE
    first integer := pgagent_py._first_run(since);
    ids integer[] := coalesce(jobs, CASE WHEN job IS NOT NULL THEN ARRAY[job] END, ARRAY(SELECT v.jobid FROM pgagent_py.job_status v));
BEGIN
    -- Runs of a job do not overlap: of those that began earlier, only the last may still go on at that time.
    RETURN QUERY SELECT r.* FROM unnest(ids) j (id) CROSS JOIN LATERAL (
           SELECT e.jlgid, e.jobid, e.jobname, e.run_status, e.jlgstart, e.jlgduration
             FROM pgagent_py.visible_run e WHERE e.jobid = j.id AND e.jlgid < first ORDER BY e.jlgid DESC LIMIT 1) r
     WHERE r.run_status = 'running' OR r.jlgstart + r.jlgduration > since;
    RETURN QUERY SELECT r.jlgid, r.jobid, r.jobname, r.run_status, r.jlgstart, r.jlgduration
      FROM pgagent_py.visible_run r WHERE r.jobid = ANY (ids) AND r.jlgid >= first AND r.jlgstart < until;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.runs_between(timestamptz, timestamptz, integer, integer[]) IS
{% filter literal %}
Return the runs that were going on at some time of a span, as they are in visible_run, in no order.

- since, until: the span, its end excluded. Default: without an end.
- job: the id (jobid) of the only job that matters. Default: all that the role may see.
- jobs: several of them.
{% endfilter %};
