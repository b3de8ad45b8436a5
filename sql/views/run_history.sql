{% from "macros/words.j2" import run_status, run_trigger, step_status %}
{% from "macros/visible.j2" import may_see %}
-- OFFSET 0 leaves the planner one way: through the log in order, and from each run to the rest. Else it would join all of a
-- long log to show the newest few runs: behind a security_barrier it does not see that only these are wanted.
CREATE OR REPLACE VIEW pgagent_py.run_history WITH (security_barrier) AS
SELECT r.jlgid, r.jlgjobid AS jobid, v.jobname, {{ run_status("r.jlgstatus") }} AS run_status, r.jlgstart, r.jlgduration,
       s.jslid, s.jstid, s.jstname, {{ step_status("s.jslstatus") }} AS step_status, s.jslresult, s.jslstart, s.jslduration,
       s.jsloutput, o.jlgdue AS due, CASE WHEN isfinite(r.jlgstart) AND isfinite(o.jlgdue) THEN r.jlgstart - o.jlgdue END AS lateness, {{ run_trigger("o.jlgtrigger") }} AS trigger,
       o.jlgtriggeredby AS triggered_by, coalesce(o.agent::text, o.jagstation) AS agent, s.try
  FROM pgagent.pga_joblog r
 CROSS JOIN LATERAL (SELECT j.jobname FROM pgagent_py.visible_job j WHERE j.jobid = r.jlgjobid OFFSET 0) v
  LEFT JOIN LATERAL (
       SELECT l.*, t.jstid, t.jstname, row_number() OVER (PARTITION BY l.jsljstid ORDER BY l.jslid)::integer AS try
         FROM pgagent.pga_jobsteplog l JOIN pgagent.pga_jobstep t ON t.jstid = l.jsljstid
        WHERE l.jsljlgid = r.jlgid ORDER BY l.jslid OFFSET 0) s ON true
  LEFT JOIN LATERAL (SELECT k.* FROM pgagent_py.run_origin k WHERE k.jlgid = r.jlgid OFFSET 0) o ON true
 WHERE {{ may_see("r.jlgjobid", "pga_joblog", "pga_jobsteplog", "pga_jobstep") }}
 ORDER BY r.jlgid DESC;

GRANT SELECT ON pgagent_py.run_history TO PUBLIC;

COMMENT ON VIEW pgagent_py.run_history IS
{% filter literal %}
The runs, newest first, with one row per step; a run without steps has one row. A role sees all if it may read
pga_job, pga_jobstep and both logs, else the runs of jobs whose owner's rights it has.

- jlgid, run_status, jlgstart, jlgduration: of the run.
- run_status: running, success, failure, aborted (cancelled, or its launcher is gone), or no steps.
- jslid, jstid, jstname: the step's entry in the log, and the step.
- step_status: running, success, failure, aborted, or ignored (it has failed, and its on_error is ignore).
- jslresult: the exit code of a batch step; the rows affected by an SQL step, -1 after an error.
- jslstart, jslduration, jsloutput: of the step.
- due: the time that the run is for. NULL, as the next four: it has started before version 1.1.
- lateness: how much later than that it has started.
- trigger: what has set it off: schedule, run_now, dependency, start (it was missed while no launcher lived, or runs
  because one has started), backfill.
- triggered_by: the role that has asked for it, or the jobs that it has followed.
- agent: the launcher that has executed it, as in the view launchers; the host of pgAgent's daemon.
- try: which try of the step this is, in its run.
{% endfilter %};
