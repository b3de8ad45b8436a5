{% from "macros/verb.j2" import verb %}
{% call verb("start_agent", ["agent uuid", "station text", "again boolean DEFAULT false",
                               "knows text[] DEFAULT '{}'", "pooled boolean DEFAULT false",
                               "version text DEFAULT NULL", "places integer DEFAULT NULL"]) %}
Register this backend as an agent, which may claim jobs. An agent that comes back with another backend keeps its jobs.

- agent: an identity that the launcher makes up when it starts, and keeps.
- station: its host name, which a job's host is compared with.
- again: true says that it has been registered before and has lost its connection. Jobs that run when a launcher
  starts (@reboot) do not run then.
- knows: what it has beyond version 1.0: "label NAME" for each of its labels, and kinds of steps that it knows to
  execute. Jobs that need more are left to other agents. An agent that comes back and names nothing has what it has
  named before.
- pooled: true says that a connection pooler stands between, so that the backend may outlive the agent. The agent then
  has to call run_due() or next_wake() at least once a minute: else it counts as gone.
- version, places: its version, and how many steps it executes at the same time. The view launchers shows them.

Errors: 42501: the role may not run jobs. 55000: the jobs come by a subscription.
{% endcall %}
