{% from "macros/verb.j2" import verb %}
{% call verb("set_serve_subscribed", ["enabled boolean"]) %}
Let the jobs of this database run, or not, while pga_job is the target of a subscription (logical replication). Not,
unless this has said so: the jobs run where they are published, and would run twice.

Errors: 22023: enabled is missing. 42501: the role may not edit pgAgent's tables.
{% endcall %}
