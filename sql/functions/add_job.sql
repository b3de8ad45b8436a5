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
], returns="integer") %}
Add a job; with sql or batch it gets a step, with cron a schedule (two where cron's days mean either-or). Returns the
job id. timezone: wall clock that cron is read in, default the database's (default_timezone()). database: where sql
runs, default this one. class: an existing pgAgent job class, default the first. host: only agents on this host run
it. Error 22023 names the bad argument; nothing is added then.
{% endcall %}
