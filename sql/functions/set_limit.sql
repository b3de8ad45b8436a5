{% from "macros/verb.j2" import verb %}
{% call verb("set_limit", ["class text DEFAULT NULL", "group text DEFAULT NULL", "running integer DEFAULT NULL"]) %}
Limit how many jobs run at once, all launchers together. Give class or group. Jobs that are running go on; a due job
waits for a place.

- class: the name of a job class in pgagent.pga_jobclass.
- group: a name that alter_job() has given to jobs.
- running: how many, 1 or more. NULL takes the limit back.

Errors: 22023 names a bad argument. 42501: the role may not edit pgAgent's tables.
{% endcall %}
