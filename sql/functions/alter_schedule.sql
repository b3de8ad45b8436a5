{% from "macros/verb.j2" import verb %}
{% call verb("alter_schedule", [
    "schedule integer",
    "name text DEFAULT NULL",
    "cron text DEFAULT NULL",
    "minutes integer[] DEFAULT NULL",
    "hours integer[] DEFAULT NULL",
    "weekdays integer[] DEFAULT NULL",
    "monthdays integer[] DEFAULT NULL",
    "months integer[] DEFAULT NULL",
    "start timestamptz DEFAULT NULL",
    "end timestamptz DEFAULT NULL",
    "timezone text DEFAULT NULL",
    "enabled boolean DEFAULT NULL",
    "description text DEFAULT NULL",
    "every interval DEFAULT NULL",
    "at timestamptz DEFAULT NULL",
]) %}
Change a schedule; NULL leaves as it is, the arguments are those of add_schedule. What takes an option away: '' the
timezone, '0' every, 'infinity' at and end, '{}' a set. Of cron, every and at, the one that is given takes the place
of the others; the sets stay, unless they or cron are given. The job's next run follows. Error 22023 names the bad
argument.
{% endcall %}
