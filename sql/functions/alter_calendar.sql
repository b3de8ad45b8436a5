{% from "macros/verb.j2" import verb %}
{% call verb("alter_calendar", [
    "name text",
    "add_days date[] DEFAULT '{}'",
    "drop_days date[] DEFAULT '{}'",
    "description text DEFAULT NULL",
]) %}
Add days to a calendar, drop some, or change its description; the next runs of the jobs that it is attached to follow.
Error 22023: there is no such calendar.
{% endcall %}
