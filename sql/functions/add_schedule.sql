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
], returns="SETOF integer") %}
Add a schedule. cron: five fields, names, ranges, steps, lists, L for the last day, @daily and its like, @reboot (when
a launcher starts). Or sets: minutes 0-59, hours 0-23, weekdays 0-6 from Sunday, monthdays 1-31 and 32 for the last
day, months 1-12; a set that is missing or empty means any, and it fires at the minutes that are in all five, from
start (default now) to end (inclusive), in the wall clock of timezone (default: default_timezone()). every: each time
so many whole seconds have passed since start. at: once. Returns the schedule id, two where cron restricts both day
fields, which means either. Error 22023 names the bad argument.
{% endcall %}
