{% from "macros/verb.j2" import verb %}
{% call verb("attach_calendar", ["schedule integer", "calendar text", "only_days boolean DEFAULT false"]) %}
Keep a schedule from firing on the days of a calendar. The days are those of the schedule's wall clock. The job's next
run follows.

- calendar: its name. A schedule can have several.
- only_days: true lets the schedule fire on the calendar's days only; of several such calendars, on the days of any.

Errors: 22023 names a bad argument.
{% endcall %}
