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
    "separately boolean DEFAULT NULL",
    "engine text DEFAULT NULL",
    "engine_options jsonb AS text DEFAULT NULL",
    "keep_rows integer DEFAULT NULL",
]) %}
Change a step. An argument that is NULL or left out leaves things as they are.

- name, on_error, enabled, description, atomic, separately: as in add_step().
- sql, batch: the new code. Batch code turns an SQL step into a batch step, and the other way round.
- database, connstr: where sql runs, as in add_step(); connstr '' leads back to this server.
- engine, engine_options: as in add_step(); engine 'local' is the launcher itself again. A new engine begins without options.
- timeout: the step is stopped and has failed when it takes longer; 0 takes the limit back.
- retries: how often the step is tried again after a failure, before on_error counts; at most 100. Default: 0.
- retry_delay: the time from a failed try to the next, at most one day. Default: 1 second.
- retry_backoff: the factor, 1 to 100, by which the delay grows from try to try. Default: 1. No delay is longer than
  one day.
- keep_rows: how many rows of its result, 10000 at most, stand in its output and are there for messages: of an SQL step
  the rows of its last statement that returns some. 0 takes it back. Default: none.

Errors: 22023 names a bad argument, and nothing is changed. 42501: the role may not do this, or the job's owner may
not run the step.
{% endcall %}
