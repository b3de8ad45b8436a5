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
    "separately boolean DEFAULT false",
    "engine text DEFAULT NULL",
    "engine_options jsonb AS text DEFAULT NULL",
], returns="integer") %}
Add a step to a job. The enabled steps of a job run one after another, by name, then by id.

- sql, batch: the code, either SQL or a script. Give one of the two.
- database: the database of this server in which sql runs. Default: this one.
- connstr: a libpq connection string to where sql runs, instead of database.
- on_error: what a failure means: fail ends the run as failed, success counts as a success, ignore goes on with the
  next step.
- enabled: false leaves the step out of runs.
- atomic: the code and its entry in the log are committed in one transaction: after a crash either both are there or
  neither. For sql in this database only.
- separately: the statements of sql are executed one by one, as psql does it, up to the first error. So VACUUM and others
  that want no transaction may stand beside others. Not together with atomic; a launcher executes such steps, and
  run_due() in a session does not.
- engine, engine_options: where batch runs instead of on the launcher's machine, and how: see the view engines.

Returns the step's id (jstid).

Errors: 22023 names a bad argument, and nothing is added. 42501: the role may not do this, or the job's owner may not
run the step.
{% endcall %}
