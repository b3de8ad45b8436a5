{% from "macros/verb.j2" import verb %}
{% call verb("add_step", [
    "job integer",
    "name text",
    "sql text DEFAULT NULL",
    "batch text DEFAULT NULL",
    "database name DEFAULT NULL",
    "connstr text DEFAULT NULL",
    "on_error text DEFAULT 'fail'",
    "enabled boolean DEFAULT true",
    "description text DEFAULT NULL",
    "atomic boolean DEFAULT false",
], returns="integer") %}
Add a step, either sql (in database, default this one, or where the libpq string connstr leads) or batch (a script).
Steps run in the order of their names. on_error: fail (the job), success (count as success) or ignore. atomic: code
and log entry of a local sql step commit in one transaction. Returns the step id. Error 22023 names the bad argument.
{% endcall %}
