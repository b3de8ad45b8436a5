{% from "macros/verb.j2" import verb %}
{% call verb("export_jobs", ["jobs integer[] DEFAULT NULL"], returns="jsonb", settings=["intervalstyle = 'postgres'", "extra_float_digits = 1"]) %}
Return a JSON document for import_jobs(). It holds all calendars, and all jobs with their steps, schedules, options,
dependencies and messages. Values that have their default are left out. Runs and outputs are not exported.

- jobs: the ids of the jobs to export. Default: all.

Errors: 22023: there is no such job. 42501: the role may not edit pgAgent's tables.
{% endcall %}
