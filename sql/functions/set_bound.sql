{% from "macros/verb.j2" import verb %}
{% call verb("set_bound", ["name text", "value bigint", "role name DEFAULT NULL"]) %}
Set how much a role may have. What it has already stays.

- name: jobs, steps, schedules, exceptions, dependencies or messages, of all jobs that the role owns;
  schedules_of_a_job; or the bytes of
  one text in a call: code (sql, batch, crontab, and the texts of messages), parameters, or names (all other texts);
  or what it may send by send_email(): emails (in an hour), email_bytes (of one).
- value: the number. NULL takes the bound back: then the one for every role, or the default, counts.
- role: the role. NULL sets the bound of every role that has none of its own.

Errors: 22023 names a bad argument. 42501: the role may not edit pgAgent's tables.
{% endcall %}
