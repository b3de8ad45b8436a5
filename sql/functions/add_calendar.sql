{% from "macros/verb.j2" import verb %}
{% call verb("add_calendar", ["name text", "days date[] DEFAULT '{}'", "description text DEFAULT NULL"]) %}
Add a calendar: a named set of days, for example public holidays. attach_calendar() attaches it to schedules.

- days: the dates, in the wall clock of each schedule that it is attached to.

Errors: 22023 names a bad argument. 42710: the name is taken. 42501: the role may not edit pgAgent's tables.
{% endcall %}
