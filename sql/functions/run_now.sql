{% from "macros/verb.j2" import verb %}
{% call verb("run_now", ["job integer", "from_step integer DEFAULT NULL", "parameters jsonb AS text DEFAULT NULL",
                        "only_step integer DEFAULT NULL",
                        "due timestamptz DEFAULT NULL"]) %}
Make a job due now, as Run now of pgAdmin does. Its schedules go on afterwards. A job that is running runs once more
at its end.

- from_step: the id of the step (jstid) to begin with; the steps before it are left out of this run.
- parameters: a JSON object; for this run it overrides, key by key, the parameters of the job.
- only_step: the id of the only step to execute; all others are left out of this run.
- due: the time that the run is for, which its steps see and run_history shows. Without it: now, or with from_step the
  time that the job's last run was for.

Errors: 22023 names a bad argument. 55000: the job is disabled.
{% endcall %}
