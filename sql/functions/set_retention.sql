{% from "macros/verb.j2" import verb %}
{% call verb("set_retention", ["keep_runs integer DEFAULT NULL", "keep_for interval DEFAULT NULL",
                             "keep_changes interval DEFAULT NULL"]) %}
Set how much history launchers keep of each job for which alter_job() has set nothing. Runs in progress and the last
run of each job always stay. An argument that is NULL or left out leaves things as they are; 0 takes the limit back.

- keep_runs: how many runs of each job.
- keep_for: how long, counted from the start of a run.
- keep_changes: how long the view job_changes keeps what was changed.

Errors: 22023 names a bad argument. 42501: the role may not edit pgAgent's tables.
{% endcall %}
