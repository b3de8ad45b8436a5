{% from "macros/plans.j2" import fixed_plans %}
{% from "macros/verb.j2" import verb %}
{% call verb("upkeep", ["jobs integer DEFAULT NULL"], returns="integer", settings=fixed_plans) %}
Delete a little of what is no longer needed: runs and notes of changes as purge_history() does, messages that were given up a
week ago, and notes of met conditions that no job waits for. Launchers call it now and then.

- jobs: as in purge_history().

Returns how many runs and notes of changes were deleted.

Errors: 42501: the role may not run jobs.
{% endcall %}
