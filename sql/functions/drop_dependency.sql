{% from "macros/verb.j2" import verb %}
{% call verb("drop_dependency", ["job integer", "after integer"]) %}
Let a job no longer wait for another one.

- after: the id of the job that is waited for.

Errors: 22023 names a bad argument. 42704: the job does not wait for that one.
{% endcall %}
