{% from "macros/verb.j2" import verb %}
{% call verb("set_retention", ["keep_runs integer DEFAULT NULL", "keep_for interval DEFAULT NULL"]) %}
How much history launchers keep of each job that alter_job() has set no limit for: its last keep_runs runs, and no
runs that started longer ago than keep_for. NULL leaves as it is, 0 means no limit. Error 22023 names the bad
argument.
{% endcall %}
