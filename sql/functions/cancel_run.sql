{% from "macros/verb.j2" import verb %}
{% call verb("cancel_run", ["run integer"]) %}
End a run in progress (jlgid in pgagent.pga_joblog): once this is committed, the launcher that executes it stops its
SQL or batch step, within a second, and logs run and step as aborted; the job goes on with its schedule. Error 22023:
there is no such run, 55000: it has ended, or pgAgent's own daemon executes it.
{% endcall %}
