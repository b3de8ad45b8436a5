{% from "macros/verb.j2" import verb %}
{% call verb("add_job", [
    "name text",
    "cron text DEFAULT NULL",
    "sql text DEFAULT NULL",
    "batch text DEFAULT NULL",
    "database name DEFAULT NULL",
    "timezone text DEFAULT NULL",
    "description text DEFAULT NULL",
    "class text DEFAULT NULL",
    "host text DEFAULT NULL",
    "enabled boolean DEFAULT true",
    "if_exists text DEFAULT 'add'",
], returns="integer") %}
Add a job. With sql or batch it gets a step, with cron a schedule, both under the job's name.

- name: what to call it; several jobs may have the same name.
- cron: when it runs, as in add_schedule(). Where cron restricts both day fields, which means either unless one
  begins with *, the job gets two schedules.
- sql, batch: the code of its step: SQL, or a script. Give one of the two, or neither.
- database: the database of this server in which sql runs. Default: this one.
- timezone: the time zone whose wall clock cron is read in. Default: default_timezone().
- class: the name of a job class in pgagent.pga_jobclass. Default: the first class.
- host: only a launcher that has registered with this host name runs the job. Default: any launcher.
- enabled: false lets the job wait until alter_job() enables it. A job that is replaced and is
  disabled stays so.
- if_exists: what to do when the role has a job of this name already. add: add another one, with a NOTICE. replace: make
  it what is given here; its step and schedule under its name change, and its id, history and what is not given stay.
  keep: leave it as it is. error: refuse. A role that may edit pgAgent's tables has the jobs without an owner.

Returns the job's id (jobid), also that of a job that is kept or replaced. A role that cannot edit pgAgent's tables owns the jobs it adds.

Errors: 22023 names a bad argument, and nothing is added. 42501: the role may not have jobs, or no batch steps.
42710: there is such a job, and if_exists is error.
{% endcall %}
