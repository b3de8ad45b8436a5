{% from "macros/verb.j2" import verb %}
{% call verb("import_crontab", ["crontab text"], returns="TABLE (job integer, name text)") %}
Add a job for each command in the text of a user's crontab: a batch step that runs in the home directory of the
launcher's user with the environment that the lines before it set, what follows % as input. CRON_TZ is the schedule's
time zone, SHELL runs the command, MAILTO gets its output by e-mail, the comment before it is the description. Error
22023 names the line; nothing is added then.
{% endcall %}
