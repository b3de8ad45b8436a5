{% from "macros/plans.j2" import fixed_plans %}
{% from "macros/verb.j2" import verb %}
{% call verb("purge_history", ["jobs integer DEFAULT NULL"], returns="integer", settings=fixed_plans) %}
Delete runs, and notes of changes, that set_retention() and alter_job() do not keep, some hundred at most. Launchers do
the same when they have nothing else to do.

- jobs: look at so many jobs only, and go on with the next ones at the session's next call. NULL looks at all jobs.

Returns how many were deleted. Without jobs, 0 means that nothing is left to delete.

Errors: 42501: the role may not run jobs.
{% endcall %}
