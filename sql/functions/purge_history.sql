{% from "macros/verb.j2" import verb %}
{% call verb("purge_history", ["jobs integer DEFAULT NULL"], returns="integer", settings=[
    "plan_cache_mode = force_generic_plan",
    "enable_seqscan = off",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "jit = off",
]) %}
Delete runs that the rules of set_retention() and alter_job(keep_runs, keep_for) do not keep, some hundred at most;
returns how many, 0 when none is left. Runs in progress, and the last one of each job, stay. jobs: look at so many
jobs only, going on where the session's last such call ended, as launchers do. Error 42501: the role may not run jobs.
{% endcall %}
