{% from "macros/verb.j2" import verb %}
{% call verb("alter_step", [
    "step integer",
    "name text DEFAULT NULL",
    "sql text DEFAULT NULL",
    "batch text DEFAULT NULL",
    "database name DEFAULT NULL",
    "connstr text DEFAULT NULL",
    "on_error text DEFAULT NULL",
    "enabled boolean DEFAULT NULL",
    "description text DEFAULT NULL",
    "atomic boolean DEFAULT NULL",
    "timeout interval AS seconds DEFAULT NULL",
    "retries integer DEFAULT NULL",
    "retry_delay interval AS seconds DEFAULT NULL",
    "retry_backoff float8 DEFAULT NULL",
]) %}
Change what is given of a step; NULL leaves as it is. sql or batch: the new code, which may change the kind. connstr
'': back to this database. timeout: the step is stopped and fails when it takes longer; 0 for none. retries: how often
it is tried again after a failure, before on_error counts; retry_delay: time to the next try, default 1 s;
retry_backoff: factor by which the delay grows from try to try, default 1. Error 22023 names the bad argument.
{% endcall %}
