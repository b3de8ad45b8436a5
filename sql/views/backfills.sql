CREATE OR REPLACE VIEW pgagent_py.backfills WITH (security_barrier) AS
SELECT b.bflid AS backfill, v.jobid, v.jobname, b.bflfrom AS "from", b.bfluntil AS until, b.bflstop AS stop_on_failure,
       b.bflby AS asked_by, b.bflat AS asked_at,
       CASE WHEN b.bflended IS NULL THEN 'in progress' WHEN b.bflwhy IS NULL THEN 'finished' ELSE 'stopped' END AS status,
       b.bfltimes AS times, b.bfldone AS done, b.bflfailed AS failed, b.bflleft AS left_out,
       CASE WHEN b.bflpast >= b.bflfrom THEN b.bflpast END AS last_due, b.bflrun AS running_run,
       b.bflended AS ended_at, b.bflwhy AS ended_because
  FROM pgagent_py.backfill b
 CROSS JOIN LATERAL (SELECT * FROM pgagent_py.visible_job j WHERE j.jobid = b.jobid OFFSET 0) v
 ORDER BY b.bflid DESC;

GRANT SELECT ON pgagent_py.backfills TO PUBLIC;

COMMENT ON VIEW pgagent_py.backfills IS
{% filter literal %}
What backfill() was asked for, newest first, of the jobs that the current role sees in visible_job. Of each job the last
20 that have ended stay.

- backfill: its number, for cancel_backfill().
- from, until: the span, its end excluded.
- asked_by, asked_at: which role has asked for it, and when.
- status: in progress, finished, or stopped before its last time.
- times: how many times the schedules named in the span when it was asked for.
- done, failed: how many runs have ended, and how many of them have failed or were aborted.
- left_out: how many times had a successful run already.
- last_due: the last time that a run was started for.
- running_run: the run in progress (jlgid).
- ended_at, ended_because: when it has ended, and why before its last time.
{% endfilter %};
