{% from "macros/verb.j2" import verb %}
{% call verb("drop_calendar", ["name text"]) %}
Delete a calendar.

Errors: 22023: there is no calendar of this name. 2BP01: it is attached to a schedule. 42501: the role may not edit
pgAgent's tables.
{% endcall %}
