{% from "macros/verb.j2" import verb %}
{% call verb("purge_history", ["jobs integer DEFAULT NULL"], returns="integer", settings=[
    "plan_cache_mode = force_generic_plan",
    "enable_seqscan = off",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "jit = off",
]) %}
Delete runs that set_retention() and alter_job() do not keep, some hundred at most. Launchers call it when they have
nothing else to do.

- jobs: look at so many jobs only, and go on with the next ones at the session's next call. NULL looks at all jobs.

Returns how many runs were deleted. Without jobs, 0 means that nothing is left to delete.

Errors: 42501: the role may not run jobs.
{% endcall %}
