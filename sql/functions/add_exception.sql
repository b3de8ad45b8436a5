{% from "macros/verb.j2" import verb %}
{% call verb("add_exception", [
    "schedule integer",
    "on_date date DEFAULT NULL",
    "at_time time DEFAULT NULL",
], returns="integer") %}
Keep a schedule from firing at some time. The schedule's own wall clock counts.

- on_date: the date; alone, it blocks the whole day.
- at_time: the minute; alone, it blocks this minute of every day.

Returns the exception's id (jexid).

Errors: 22023 names a bad argument. 23505: the schedule has it already.
{% endcall %}
