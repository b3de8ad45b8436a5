{% from "macros/verb.j2" import verb %}
{% call verb("attach_calendar", ["schedule integer", "calendar text", "only_days boolean DEFAULT false"]) %}
Keep a schedule from firing on the days of a calendar, or, with only_days, on all other days; days are those of the
schedule's wall clock. A schedule can have several. The job's next run follows. Error 22023 names the bad argument.
{% endcall %}
