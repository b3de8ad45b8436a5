{% from "macros/verb.j2" import verb %}
{% call verb("add_calendar", ["name text", "days date[] DEFAULT '{}'", "description text DEFAULT NULL"]) %}
Add a calendar: a named set of days, such as public holidays, to be attached to schedules. Error 22023 names the bad
argument, 42710: the name is taken.
{% endcall %}
