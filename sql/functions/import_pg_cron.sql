{% from "macros/verb.j2" import verb %}
{% call verb("import_pg_cron", returns="TABLE (job integer, name text)") %}
Add a job for each row of pg_cron's table cron.job in this database: schedule (in pg_cron's time zone), command,
database, user as its owner, active or not. The rows there stay as they are: unschedule them in the same transaction.

Returns the ids (jobid) and names of the new jobs. A job that cannot be taken over has no id (NULL), and a WARNING says
why.

Errors: 42P01: there is no cron.job here. 42501: the role may not edit pgAgent's tables, or may not read cron.job.
{% endcall %}
