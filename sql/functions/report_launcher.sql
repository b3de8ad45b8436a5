{% from "macros/verb.j2" import verb %}
{% call verb("report_launcher", ["skew interval", "hindered text[]", "refused jsonb AS text DEFAULT '{}'"]) %}
Tell what this backend's agent has found on its host. What it has told before is replaced. The views launchers and refusals
show it.

- skew: by how much the host's clock is ahead of the server's. Negative: behind.
- hindered: what the launcher's service takes from batch steps, by the names of systemd's settings.
- refused: SQL steps that it could not connect for: {"STEP ID": "the words of the server"}.

Errors: 42501: the role may not run jobs. 22023: a value is too long, or none that the argument may have.
{% endcall %}
