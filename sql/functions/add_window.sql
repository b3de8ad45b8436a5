{% from "macros/verb.j2" import verb %}
{% call verb("add_window", [
    "name text",
    "cron text DEFAULT NULL",
    "minutes integer[] DEFAULT NULL",
    "hours integer[] DEFAULT NULL",
    "weekdays integer[] DEFAULT NULL",
    "monthdays integer[] DEFAULT NULL",
    "months integer[] DEFAULT NULL",
    "nth integer[] DEFAULT NULL",
    "workdays integer[] DEFAULT NULL",
    "duration interval DEFAULT NULL",
    "timezone text DEFAULT NULL",
    "closed boolean DEFAULT false",
    "description text DEFAULT NULL",
]) %}
Add a window: the times at which runs may start. alter_job() gives it to jobs, set_limit() to a class of jobs. It opens at
the times that cron or the sets say, each time for the duration. Openings that overlap or touch are one.

- name: without a comma, which separates names.
- cron, minutes, hours, weekdays, monthdays, months, nth, workdays: when it opens, as in add_schedule(). A set that is missing
  means any: hours => '{22}' alone opens it at each minute from 22:00 to 22:59. Working days know weekends only.
- duration: elapsed time, so that a night in which clocks change keeps its hours. Needed, in days or less.
- timezone: the time zone whose wall clock cron and the sets are read in. Default: default_timezone().
- closed: while the window is open, no run may start, whatever other windows say.

Errors: 22023 names a bad argument. 42710: the name is taken. 42501: the role may not edit pgAgent's tables.
{% endcall %}
