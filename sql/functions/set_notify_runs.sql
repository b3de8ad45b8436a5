{% from "macros/verb.j2" import verb %}
{% call verb("set_notify_runs", ["enabled boolean"]) %}
Switch notifications of runs on or off. Each start and end of a run then notifies the channel pgagent_py_run, which
any role can listen to. The payload is a JSON object with event (start or end), job, name, run, status, start and
seconds.

Errors: 22023: enabled is missing. 42501: the role may not edit pgAgent's tables.
{% endcall %}
