{% from "macros/verb.j2" import verb %}
{% call verb("cancel_run", ["run integer"]) %}
End a run in progress, once this is committed. The launcher stops its SQL or batch step within a second. Run and step
are logged as aborted, and the job goes on with its schedules.

- run: the run's id (jlgid in pgagent.pga_joblog).

Errors: 22023: there is no such run. 55000: it has ended already, or the C++ daemon executes it.
{% endcall %}
