{% from "macros/verb.j2" import verb %}
{% call verb("add_schedule", [
    "job integer",
    "name text",
    "cron text DEFAULT NULL",
    "minutes integer[] DEFAULT NULL",
    "hours integer[] DEFAULT NULL",
    "weekdays integer[] DEFAULT NULL",
    "monthdays integer[] DEFAULT NULL",
    "months integer[] DEFAULT NULL",
    "start timestamptz DEFAULT NULL",
    "end timestamptz DEFAULT NULL",
    "timezone text DEFAULT NULL",
    "enabled boolean DEFAULT true",
    "description text DEFAULT NULL",
    "every interval DEFAULT NULL",
    "at timestamptz DEFAULT NULL",
    "nth integer[] DEFAULT NULL",
    "workdays integer[] DEFAULT NULL",
    "roll text DEFAULT NULL",
    "recurs text DEFAULT NULL",
    "rrule text DEFAULT NULL",
    "spread interval DEFAULT NULL",
], returns="SETOF integer") %}
Add a schedule to a job. It fires by cron, by five sets of numbers, by every, or at one time. Of the sets, one that is
missing or empty means any. The schedule fires at the minutes of its wall clock that are in all five.

- cron: five fields with names, ranges, steps, lists, Quartz's letters (5#2, 5L, L-2, LW, 15W) and H; or @hourly, @daily and the like; or
  @reboot, which fires when a launcher starts.
- minutes: 0 to 59.
- hours: 0 to 23.
- weekdays: 0 to 6, from Sunday.
- monthdays: 1 to 31, 32 for the last day of the month, and -1 to -31: the last, the last but one, and so on.
- months: 1 to 12.
- start, end: it fires in the minute of start (default: now) at the earliest, and at end at the latest.
- timezone: the time zone whose wall clock cron and the sets are read in. Default: default_timezone().
- enabled: false keeps it from firing.
- every: it fires each time that so many whole seconds have passed since start, in minutes that the sets leave. Give
  days or less, since months have no fixed length.
- at: it fires once, at this time.
- nth: which of its weekdays in the month: 1 to 5, and -1 to -5 from the end.
- workdays: which working days of the month: 1 to 23, and -1 to -23 from the end. A working day is neither weekend nor
  a day of a calendar that blocks the schedule.
- roll: what becomes of a day that is no working day: skip, forward, backward, nearest (within the month) or in_month
  (forward, but backward at the end of the month).
- recurs: 'N days', 'N weeks' or 'N months' of the wall clock, counted from the day, week (from Monday) or month that
  holds start. The sets still say when it fires there.
- rrule: a recurrence rule of RFC 5545, also in Oracle's spelling. What RFC 5545 takes from DTSTART comes from start; without
  it a missing time is 0. UNTIL becomes end, EXCLUDE=NAME attaches a calendar. See docs/next-run.md.
- spread: it fires later, by less than this. The names of job and schedule decide by how many seconds, so that jobs with
  the same schedule do not all start at once.

Returns the schedule's id (jscid). Where cron restricts both day fields, which means either unless one begins
with *, or where its items need different rules, several schedules are made, and their ids returned.

Errors: 22023 names a bad argument, and nothing is added.
{% endcall %}
