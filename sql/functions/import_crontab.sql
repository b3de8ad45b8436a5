{% from "macros/verb.j2" import verb %}
{% call verb("import_crontab", ["crontab text"], returns="TABLE (job integer, name text)") %}
Add a job with a batch step for each command of a user's crontab. It runs in the home directory of the launcher's
user, with the environment that the lines before it set. Text after % is its input. CRON_TZ becomes the schedule's
time zone, SHELL runs the command, MAILTO becomes an e-mail, and a comment right before the line becomes the
description.

- crontab: the text of the file.

Returns the ids (jobid) and names of the new jobs.

Errors: 22023 names the line, and nothing is added. 42501: the role may not have jobs, or no batch steps.
{% endcall %}
