{% from "macros/verb.j2" import verb %}
{% call verb("drop_job", ["job integer"]) %}
Delete a job with its steps, schedules, options and history.

Errors: 22023: there is no such job.
{% endcall %}
