{% from "macros/verb.j2" import verb %}
{% call verb("run_now", ["job integer", "from_step integer DEFAULT NULL", "parameters jsonb AS text DEFAULT NULL"]) %}
Make a job due now, as pgAdmin's Run now does; its schedule goes on afterwards. Told while the job runs, it runs once
more. from_step (step id): begin there and leave out the steps before it, as after a failure. parameters: an object
that overrides, key by key, the job's parameters for this run. Error 22023 names the bad argument, 55000: the job is
disabled.
{% endcall %}
