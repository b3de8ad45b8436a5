{% from "macros/verb.j2" import verb %}
{% call verb("upkeep", ["jobs integer DEFAULT NULL"], returns="integer", settings=[
    "plan_cache_mode = force_generic_plan",
    "enable_seqscan = off",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "jit = off",
]) %}
For launchers: what they call now and then. It deletes a little of what is no longer needed: runs as purge_history()
does, messages that were given up a week ago, notes of met conditions that no job waits for. Returns how many runs it
deleted; jobs is as in purge_history(). Error 42501: the role may not run jobs.
{% endcall %}
