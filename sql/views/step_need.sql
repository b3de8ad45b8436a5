CREATE OR REPLACE VIEW pgagent_py.step_need AS
SELECT o.jobid, NULL::integer AS jstid, 'label ' || l.label AS need
  FROM pgagent_py.job_option o CROSS JOIN LATERAL unnest(o.joblabels) l (label)
 WHERE o.joblabels IS NOT NULL
 UNION ALL
SELECT s.jstjobid, s.jstid, 'engine ' || o.jstengine
  FROM pgagent.pga_jobstep s JOIN pgagent_py.step_option o ON o.jstid = ANY (ARRAY[s.jstid])
 WHERE o.jstengine IS NOT NULL AND s.jstkind = 'b' AND s.jstenabled
 UNION ALL
SELECT s.jstjobid, s.jstid, 'separate statements'
  FROM pgagent.pga_jobstep s JOIN pgagent_py.step_option o ON o.jstid = ANY (ARRAY[s.jstid])
 WHERE o.jstseparately AND s.jstkind = 's' AND s.jstenabled;

COMMENT ON VIEW pgagent_py.step_need IS
{% filter literal %}
What jobs and steps need their agent to have, a row for each need. A job is claimed only by an agent that has named all
its needs (start_agent, knows). A new kind of step adds its rows here.

- jstid: the step that needs it. NULL: the job itself, which is looked at when it is claimed.
- need: "label NAME" of a job, "engine NAME" and "separate statements" of a step.
{% endfilter %};
