CREATE OR REPLACE FUNCTION pgagent_py.runs_between(since timestamptz, until timestamptz DEFAULT 'infinity', job integer DEFAULT NULL)
RETURNS TABLE (jlgid integer, jobid integer, jobname text, run_status text, jlgstart timestamptz, jlgduration interval)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $plpgsql$
#variable_conflict use_column
DECLARE
    first integer := pgagent_py._first_run(since);
BEGIN
    -- Runs of a job do not overlap: of those that began earlier, only the last may still go on at that time.
    RETURN QUERY SELECT r.* FROM pgagent_py.visible_job v CROSS JOIN LATERAL (
           SELECT e.jlgid, e.jobid, e.jobname, e.run_status, e.jlgstart, e.jlgduration
             FROM pgagent_py.visible_run e WHERE e.jobid = v.jobid AND e.jlgid < first ORDER BY e.jlgid DESC LIMIT 1) r
     WHERE (job IS NULL OR v.jobid = job) AND (r.run_status = 'running' OR r.jlgstart + r.jlgduration > since);
    RETURN QUERY SELECT r.jlgid, r.jobid, r.jobname, r.run_status, r.jlgstart, r.jlgduration
      FROM pgagent_py.visible_run r WHERE r.jlgid >= first AND (job IS NULL OR r.jobid = job) AND r.jlgstart < until;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.runs_between(timestamptz, timestamptz, integer) IS
{% filter literal %}
Return the runs that were going on at some time of a span, as they are in visible_run, in no order.

- since, until: the span, its end excluded. Default: without an end.
- job: the id (jobid) of the only job that matters. Default: all that the role may see.
{% endfilter %};
