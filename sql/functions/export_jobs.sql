{% from "macros/verb.j2" import verb %}
{% call verb("export_jobs", returns="jsonb") %}
The definitions of all jobs, with steps, schedules, options and messages, and of all calendars, as a JSON document
that import_jobs() reads. What has its default is left out; so is history. Error 42501: the role may not edit
pgagent's tables.
{% endcall %}
