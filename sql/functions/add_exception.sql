{% from "macros/verb.j2" import verb %}
{% call verb("add_exception", [
    "schedule integer",
    "on_date date DEFAULT NULL",
    "at_time time DEFAULT NULL",
], returns="integer") %}
Keep a schedule from firing: on a whole date, at a time (minute) of every day, or at that time of that date, by its
wall clock. Returns the exception id. Error 22023 names the bad argument, 23505: pgAgent's tables hold this date and
time already.
{% endcall %}
