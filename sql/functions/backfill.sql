{% from "macros/verb.j2" import verb %}
{% call verb("backfill", ["job integer", "from timestamptz", "until timestamptz", "parameters jsonb AS text DEFAULT NULL",
                         "stop_on_failure boolean DEFAULT false"], returns="integer") %}
Run a job for each time that its enabled schedules name in a span, as if they had begun before it. Return the number of
this backfill, which the view backfills shows with its progress.

- from, until: the span. Its end is excluded.
- parameters: a JSON object; for these runs it overrides, key by key, the parameters of the job.
- stop_on_failure: end when a run fails.

One run follows the other, oldest time first. The job's normal runs come first, and a time that has a successful run is
left out. Ends, exceptions, calendars and pauses of the schedules hold. Jobs that depend on it follow with the same time: the next run
waits for them. It goes on whatever happens to launchers; a run that was lost with one is not repeated. While the job is disabled
it waits.

Errors: 22023 names a bad argument; there may be 100000 times. 54000: the job has 100 backfills in progress.
{% endcall %}
