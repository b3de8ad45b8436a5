{% from "macros/verb.j2" import verb %}
{% call verb("set_engine", ["engine text", "allowed_options text[] DEFAULT NULL", "enabled boolean DEFAULT NULL"]) %}
Say whether batch steps may use an engine, and with which options. An argument that is left out leaves things as they are.

- engine: slurm, ssh, or the name of one that was added to the launchers.
- allowed_options: the names that engine_options of steps may have. Some can never be allowed, since they are the
  launcher's: for slurm array, requeue, output, error, job-name, wait, uid, wrap, export and chdir.
- enabled: false keeps steps from using it. Those that are running go on.

Errors: 22023 names a bad argument. 42501: the role may not edit pgAgent's tables.
{% endcall %}
