{% from "macros/verb.j2" import verb %}
{% call verb("alter_calendar", [
    "name text",
    "add_days date[] DEFAULT '{}'",
    "drop_days date[] DEFAULT '{}'",
    "description text DEFAULT NULL",
    "weekend integer[] DEFAULT NULL",
]) %}
Change a calendar. The next runs of all jobs that it concerns follow.

- add_days, drop_days: the dates that it gets, and those that it loses. Dates that it has, or has not, already do no
  harm.
- description, weekend: as in add_calendar(). NULL leaves them as they are.

Errors: 22023 names a bad argument, for example a calendar that does not exist. 42501: the role may not edit pgAgent's
tables.
{% endcall %}
