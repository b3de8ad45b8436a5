{% from "macros/verb.j2" import verb %}
{% call verb("stop_agent") %}
Remove the agent of this backend from the list of agents. Runs that it still has in progress are closed as aborted.
{% endcall %}
