{% from "macros/visible.j2" import may_edit, may_see %}
{% from "macros/words.j2" import shown_comment %}
CREATE OR REPLACE VIEW pgagent_py.visible_job WITH (security_barrier) AS
SELECT j.jobid, j.jobname, j.jobenabled, r.owner AS jobowner, r.run_as AS jobrunas, c.jclname AS jobclass,
       CASE WHEN mine.edits THEN j.jobdesc
            ELSE {{ shown_comment("j.jobdesc") }} END AS jobdesc,
       j.jobhostagent, j.jobcreated, j.jobchanged, j.jobagentid IS NOT NULL AS jobrunning, j.jobnextrun, j.joblastrun
  FROM pgagent.pga_job j
  JOIN pgagent.pga_jobclass c ON c.jclid = j.jobjclid
  LEFT JOIN pgagent_py.job_role r ON r.jobid = j.jobid
 {{ may_edit("j.jobid") }}
 WHERE {{ may_see("j.jobid", "pga_job") }};

GRANT SELECT ON pgagent_py.visible_job TO PUBLIC;

COMMENT ON VIEW pgagent_py.visible_job IS
{% filter literal %}
The jobs that the current role may see: all if it may read pga_job or is in pgagent_py_monitor or
pgagent_py_operator, else those whose owner's rights it has. The other views follow the same rule.

- jobowner: NULL is nobody's job, for example one made in pgAdmin.
- jobrunas: the role that SQL steps log in as. NULL: the owner.
- jobdesc: for a role that may not edit the job without what its lines @parameters, @email and @webhook say.
- jobrunning: a run is in progress.
{% endfilter %};
