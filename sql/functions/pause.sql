{% from "macros/verb.j2" import verb %}
{% call verb("pause", ["class text DEFAULT NULL"]) %}
Let no run start until resume(), also after launchers or the server have restarted. Runs in progress go on. Jobs that
fall due, or that are to run now, wait.

- class: the name of a job class in pgagent.pga_jobclass. NULL pauses all jobs.

Errors: 22023: there is no such class. 42501: the role may not edit pgAgent's tables.
{% endcall %}
