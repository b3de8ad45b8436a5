{% from "macros/verb.j2" import verb %}
{% call verb("skip_next_run", ["job integer", "count integer DEFAULT 1"]) %}
Leave out the next times of a job's schedules. Each is logged as skipped when it comes, with the role that has asked for it.
A second call leaves out the times after those. run_now() and dependencies start the job as ever. A change of its
schedules takes all back.

- count: how many. Default: 1.

Errors: 22023: there is no such job, or count is not 1 to 1000. 55000: the job has no next run.
{% endcall %}
