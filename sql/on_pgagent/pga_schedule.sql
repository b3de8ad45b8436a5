{% from "macros/on_pgagent.j2" import comment_lines, trigger %}
{% call trigger("pgagent_py_moved", "AFTER UPDATE OF jscjobid", "pga_schedule", "_recompute_moved", when="NEW.jscjobid <> OLD.jscjobid") %}
the next run of the job that has lost a schedule.
{% endcall %}

{% call trigger("pgagent_py_truncated", "AFTER TRUNCATE", "pga_schedule", "_recompute_moved", for_each="STATEMENT") %}
the next runs of all jobs, when all rows are gone at once.
{% endcall %}

{{ comment_lines("pga_schedule", "jscdesc") }}
