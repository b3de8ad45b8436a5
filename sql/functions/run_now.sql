{% from "macros/verb.j2" import verb %}
{% call verb("run_now", ["job integer", "from_step integer DEFAULT NULL", "parameters jsonb AS text DEFAULT NULL"]) %}
Make a job due now, as Run now of pgAdmin does. Its schedules go on afterwards. A job that is running runs once more
at its end.

- from_step: the id of the step (jstid) to begin with; the steps before it are left out of this run.
- parameters: a JSON object; for this run it overrides, key by key, the parameters of the job.

Errors: 22023 names a bad argument. 55000: the job is disabled.
{% endcall %}
