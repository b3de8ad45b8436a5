{% from "macros/visible.j2" import may_edit, may_see %}
{% from "macros/words.j2" import on_error, step_kind %}
CREATE OR REPLACE VIEW pgagent_py.visible_step WITH (security_barrier) AS
SELECT s.jstid, s.jstjobid, s.jstname, s.jstdesc, s.jstenabled, {{ step_kind("s.jstkind") }} AS jstkind,
       s.jstcode, s.jstdbname, CASE WHEN mine.edits THEN s.jstconnstr END AS jstconnstr,
       {{ on_error("s.jstonerror") }} AS jstonerror,
       coalesce(o.jstatomic, false) AS jstatomic, s.jstjobid AS jobid
  FROM pgagent.pga_jobstep s
  LEFT JOIN pgagent_py.step_option o ON o.jstid = s.jstid
 {{ may_edit("s.jstjobid") }}
 WHERE {{ may_see("s.jstjobid", "pga_jobstep") }};

GRANT SELECT ON pgagent_py.visible_step TO PUBLIC;

COMMENT ON VIEW pgagent_py.visible_step IS
{% filter literal %}
The steps that the current role may see, with their code: all if it may read pga_jobstep, else those of jobs whose
owner's rights it has.

- jobid: the job. jstjobid is the same.
- jstkind: sql or batch.
- jstconnstr: NULL for a role that may not edit the job.
- jstonerror: fail, success or ignore.
{% endfilter %};
