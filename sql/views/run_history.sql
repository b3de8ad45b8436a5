{% from "macros/words.j2" import run_status, step_status %}
{% from "macros/visible.j2" import may_see %}
-- OFFSET 0 leaves the planner one way: from the log, in order, to the rest. Else it would join all of a long log to show the
-- newest few, since it can't see through a security_barrier view that only these are wanted.
CREATE OR REPLACE VIEW pgagent_py.run_history WITH (security_barrier) AS
SELECT r.jlgid, r.jlgjobid AS jobid, v.jobname, {{ run_status("r.jlgstatus") }} AS run_status, r.jlgstart, r.jlgduration,
       s.jslid, s.jstid, s.jstname, {{ step_status("s.jslstatus") }} AS step_status, s.jslresult, s.jslstart, s.jslduration,
       s.jsloutput
  FROM pgagent.pga_joblog r
 CROSS JOIN LATERAL (SELECT j.jobname FROM pgagent_py.visible_job j WHERE j.jobid = r.jlgjobid OFFSET 0) v
  LEFT JOIN LATERAL (
       SELECT l.*, t.jstid, t.jstname
         FROM pgagent.pga_jobsteplog l JOIN pgagent.pga_jobstep t ON t.jstid = l.jsljstid
        WHERE l.jsljlgid = r.jlgid ORDER BY l.jslid OFFSET 0) s ON true
 WHERE {{ may_see("r.jlgjobid", "pga_joblog", "pga_jobsteplog", "pga_jobstep") }}
 ORDER BY r.jlgid DESC;

COMMENT ON VIEW pgagent_py.run_history IS
'The runs, of all jobs for who may read pga_job, pga_jobstep and both logs, else of those whose owner''s rights the current role has, newest first, one line per step with its output; a run without steps has one '
'line. jlgid, run_status, jlgstart and jlgduration are the run''s; jslid and what follows are the step''s. '
'Statuses: running, success, failure, aborted, no steps (run), ignored (step: failed, and on_error is ignore).';
