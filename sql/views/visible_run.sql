{% from "macros/words.j2" import run_status, run_trigger %}
-- Whose runs it shows is looked at once for each job, not for each run.
CREATE OR REPLACE VIEW pgagent_py.visible_run WITH (security_barrier) AS
SELECT r.jlgid, r.jlgjobid AS jobid, v.jobname, {{ run_status("r.jlgstatus") }} AS run_status, r.jlgstart, r.jlgduration,
       o.jlgdue AS due, CASE WHEN isfinite(r.jlgstart) AND isfinite(o.jlgdue) THEN r.jlgstart - o.jlgdue END AS lateness, {{ run_trigger("o.jlgtrigger") }} AS trigger,
       o.jlgtriggeredby AS triggered_by, coalesce(o.agent::text, o.jagstation) AS agent
  FROM pgagent.pga_joblog r JOIN pgagent_py.logged_job v ON v.jobid = r.jlgjobid
  LEFT JOIN pgagent_py.run_origin o ON o.jlgid = r.jlgid;

GRANT SELECT ON pgagent_py.visible_run TO PUBLIC;

COMMENT ON VIEW pgagent_py.visible_run IS
{% filter literal %}
The runs without their steps, one row each: of all jobs if the current role may read pga_job and pga_joblog, else of
those whose owner's rights it has. Their steps are in run_history.

- run_status: running, success, failure, aborted (cancelled, or its launcher is gone), or no steps.
- jlgstart, jlgduration: when it began, and how long it took; NULL while it runs.
- due, lateness: the time that it is for, and how much later than that it has started.
- trigger, triggered_by, agent: as in run_history.
{% endfilter %};
