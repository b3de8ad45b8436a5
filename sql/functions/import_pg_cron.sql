{% from "macros/verb.j2" import verb %}
{% call verb("import_pg_cron", returns="TABLE (job integer, name text)") %}
Add a job for each of pg_cron's, read from cron.job in this database: its schedule in pg_cron's time zone, command,
database, active or not, owned by its user. cron.job is left as it is: unschedule the jobs there in the same
transaction. Error 42P01: there is no cron.job of pg_cron's here, 22023: a schedule can't be taken over; nothing is
added then.
{% endcall %}
