{% from "macros/verb.j2" import verb %}
{% call verb("drop_exception", ["exception integer"]) %}
Delete an exception of a schedule. The job's next run follows.

- exception: its id (jexid in pgagent_py.visible_exception).

Errors: 22023: there is no such exception, or it is another role's.
{% endcall %}
