{% from "macros/verb.j2" import verb %}
{% call verb("add_calendar", ["name text", "days date[] DEFAULT '{}'", "description text DEFAULT NULL",
                               "weekend integer[] DEFAULT NULL"]) %}
Add a calendar: a named set of days, for example public holidays. attach_calendar() attaches it to schedules.

- days: the dates, in the wall clock of each schedule that it is attached to.
- weekend: the weekdays that are no working days, 0 to 6 from Sunday; '{}' is none. Of several calendars of a schedule, those
  of all count; if none says so, Saturday and Sunday.

Errors: 22023 names a bad argument. 42710: the name is taken. 42501: the role may not edit pgAgent's tables.
{% endcall %}
