{% from "macros/verb.j2" import verb %}
{% call verb("drop_calendar", ["name text"]) %}
Delete a calendar. Error 22023: there is none of this name, 2BP01: it is attached to a schedule.
{% endcall %}
