CREATE OR REPLACE FUNCTION pgagent_py._previous_due(job integer, due timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT CASE WHEN d.jobdue < _previous_due.due THEN d.jobdue
                WHEN d.jobduebefore < _previous_due.due THEN d.jobduebefore
                ELSE (SELECT max(o.jlgdue)
                        FROM (SELECT l.jlgid, l.jlgstatus FROM pgagent.pga_joblog l WHERE l.jlgjobid = d.jobid
                               ORDER BY l.jlgid DESC LIMIT 10000) l
                        JOIN pgagent_py.run_origin o ON o.jlgid = l.jlgid
                       WHERE l.jlgstatus = 's' AND o.jlgtrigger <> 'n' AND o.jlgdue < _previous_due.due) END
      FROM pgagent_py.job_due d WHERE d.jobid = _previous_due.job
$sql$;

COMMENT ON FUNCTION pgagent_py._previous_due(integer, timestamptz) IS
'The latest time before this one for which a run of the job has succeeded. NULL: none is known. Only a run for a time long '
'past looks into the history, at the last 10,000 runs of the job.';
