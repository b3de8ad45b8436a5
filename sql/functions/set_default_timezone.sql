{% from "macros/verb.j2" import verb %}
{% call verb("set_default_timezone", ["timezone text"]) %}
Change the time zone that schedules without one of their own are read in. The next runs of all jobs that it concerns
follow.

- timezone: a name that PostgreSQL knows, for example Europe/Paris.

Errors: 22023: the time zone is not known. 42501: the role may not edit pgAgent's tables.
{% endcall %}
