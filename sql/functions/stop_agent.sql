{% from "macros/verb.j2" import verb %}
{% call verb("stop_agent") %}
Remove the agent that this backend is registered as; runs that it still has in progress are closed as aborted.
{% endcall %}
