{% from "macros/verb.j2" import verb %}
{% call verb("detach_calendar", ["schedule integer", "calendar text"]) %}
Take a calendar off a schedule; the job's next run follows. Error 22023 names the bad argument.
{% endcall %}
