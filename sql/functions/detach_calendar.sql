{% from "macros/verb.j2" import verb %}
{% call verb("detach_calendar", ["schedule integer", "calendar text"]) %}
Take a calendar off a schedule. The job's next run follows.

Errors: 22023 names a bad argument, for example a calendar that is not attached.
{% endcall %}
