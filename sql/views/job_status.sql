{% from "macros/words.j2" import run_status %}
{# What the last finished run of a job says. Not a join: a query pays for the columns that it asks for, of the rows that it gets. #}
{% macro last(column) -%}
(SELECT {{ column }} FROM pgagent.pga_joblog l WHERE l.jlgjobid = j.jobid AND l.jlgstatus <> 'r' ORDER BY l.jlgid DESC LIMIT 1)
{%- endmacro %}
{% macro running(column) -%}
CASE WHEN j.jobagentid IS NOT NULL THEN (
            SELECT CASE WHEN r.jlgstatus = 'r' THEN {{ column }} END
              FROM pgagent.pga_joblog r WHERE r.jlgjobid = j.jobid ORDER BY r.jlgid DESC LIMIT 1) END
{%- endmacro %}
{# Looked for once for all jobs, and only if one is asked for that may wait. #}
{% macro waits_since() -%}
CASE WHEN j.jobagentid IS NOT NULL OR {{ python_constant("ground.vocabulary.DUE") }}
            THEN ((SELECT jsonb_object_agg(w.jobid, w.since) FROM pgagent_py._waiting_jobs() w) ->> j.jobid::text)::timestamptz END
{%- endmacro %}
-- It is no security barrier: that keeps a sort and a limit from being done first. logged_job is one.
CREATE OR REPLACE VIEW pgagent_py.job_status AS
SELECT j.jobid, j.jobname, j.jobenabled,
       {{ last("l.jlgid") }} AS last_run,
       {{ last("l.jlgstart") }} AS last_start,
       {{ last(run_status("l.jlgstatus")) }} AS last_status,
       {{ last("l.jlgduration") }} AS last_duration,
       j.jobnextrun AS next_run,
       {{ running("r.jlgid") }} AS running_run,
       {{ running("statement_timestamp() - r.jlgstart") }} AS running_for,
       -- A run that is neither a success nor a failure, for example a cancelled one, makes no difference.
       (SELECT count(*) FROM pgagent.pga_joblog f
         WHERE f.jlgjobid = j.jobid AND f.jlgstatus = 'f'
           AND f.jlgid > coalesce((SELECT s.jlgid FROM pgagent.pga_joblog s WHERE s.jlgjobid = j.jobid AND s.jlgstatus = 's'
                                    ORDER BY s.jlgid DESC LIMIT 1), 0)) AS failures_in_a_row,
       CASE WHEN {{ waits_since() }} IS NOT NULL
            THEN concat_ws(' ', 'no living launcher', 'on host ' || nullif(j.jobhostagent, ''),
                           'that has ' || (SELECT string_agg(n.need, ', ' ORDER BY n.need) FROM pgagent_py.step_need n
                                            WHERE n.jobid = j.jobid)) END AS no_launcher,
       {{ waits_since() }} AS no_launcher_since,
       (SELECT nullif(to_timestamp(pgagent_py._start_time(w.job, w.class, extract(epoch FROM now())::float8, true)), now())
          FROM (SELECT (SELECT o.jobwindow FROM pgagent_py.job_option o WHERE o.jobid = j.jobid) AS job,
                       (SELECT l.jobwindow FROM pgagent_py.job_limit l WHERE l.jclid = j.jobjclid) AS class OFFSET 0) w
         WHERE w.job IS NOT NULL OR w.class IS NOT NULL) AS window_opens
  FROM pgagent_py.logged_job j;

GRANT SELECT ON pgagent_py.job_status TO PUBLIC;

COMMENT ON VIEW pgagent_py.job_status IS
{% filter literal %}
One row per job of which the current role may see the log.

- last_run, last_start, last_duration: its last finished run (jlgid), when that started and how long it took.
- last_status: success, failure, aborted (cancelled, or its launcher is gone), or no steps.
- next_run: when it runs next. NULL: never.
- running_run, running_for: the run in progress (jlgid), and for how long.
- failures_in_a_row: how many runs have failed since the last success.
- no_launcher, no_launcher_since: why no living launcher may take the due job, or carry on its run, and since when it
  waits. NULL: one may, or nothing waits.
- window_opens: when the windows of the job and of its class let a run start next; infinity: never. NULL: they let one
  start now, or there are none.
{% endfilter %};
