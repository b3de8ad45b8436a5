{% from "macros/verb.j2" import verb %}
{% call verb("start_agent", ["agent uuid", "station text", "again boolean DEFAULT false"]) %}
Register this backend as an agent: agent is the launcher's identity, which keeps its jobs when it comes back with
another backend; station is its host name, compared with jobhostagent; again: it has been registered before and has
lost its connection, so jobs that run when a launcher starts (@reboot) do not. Error 42501: the role may not run jobs.
{% endcall %}
