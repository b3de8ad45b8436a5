{% from "macros/verb.j2" import verb %}
{% call verb("export_jobs", returns="jsonb") %}
Return the definitions of all jobs, with steps, schedules, options, dependencies and messages, and of all calendars,
as a JSON document for import_jobs(). Values that have their default are left out. Runs and outputs are not exported.

Errors: 42501: the role may not edit pgAgent's tables.
{% endcall %}
