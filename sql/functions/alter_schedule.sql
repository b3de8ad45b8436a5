{% from "macros/verb.j2" import verb %}
{% call verb("alter_schedule", [
    "schedule integer",
    "name text DEFAULT NULL",
    "cron text DEFAULT NULL",
    "minutes integer[] DEFAULT NULL",
    "hours integer[] DEFAULT NULL",
    "weekdays integer[] DEFAULT NULL",
    "monthdays integer[] DEFAULT NULL",
    "months integer[] DEFAULT NULL",
    "start timestamptz DEFAULT NULL",
    "end timestamptz DEFAULT NULL",
    "timezone text DEFAULT NULL",
    "enabled boolean DEFAULT NULL",
    "description text DEFAULT NULL",
    "every interval DEFAULT NULL",
    "at timestamptz DEFAULT NULL",
    "nth integer[] DEFAULT NULL",
    "workdays integer[] DEFAULT NULL",
    "roll text DEFAULT NULL",
    "recurs text DEFAULT NULL",
    "rrule text DEFAULT NULL",
    "spread interval DEFAULT NULL",
]) %}
Change a schedule; the job's next run follows. An argument that is NULL or left out leaves things as they are.

- name, enabled, description, start: as in add_schedule().
- cron, rrule, every, at: the one that is given takes the place of the others. '0' takes every away, 'infinity' takes at
  away.
- minutes, hours, weekdays, monthdays, months: the sets, as in add_schedule(); '{}' is any. They stay as they are
  unless they or cron are given.
- nth, workdays, roll, recurs: as in add_schedule(); '{}' and '' take them back. cron and rrule take the place of those
  that they can say.
- spread: as in add_schedule(); '0' takes it back.
- end: as in add_schedule(); 'infinity' takes it away.
- timezone: as in add_schedule(); '' leads back to the default.

Errors: 22023 names a bad argument, for example a cron expression that takes several schedules. Nothing is changed then.
{% endcall %}
