{% from "macros/verb.j2" import verb %}
{% call verb("set_notify_runs", ["enabled boolean"]) %}
Switch on or off that each start and end of a run is notified on channel pgagent_py_run, with a JSON object as
payload: event (start, end), job, name, run, status, start, seconds.
{% endcall %}
