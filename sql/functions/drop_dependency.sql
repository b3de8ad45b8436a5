{% from "macros/verb.j2" import verb %}
{% call verb("drop_dependency", ["job integer", "after integer"]) %}
Let a job not wait for the job after any more. Error 42704: it does not.
{% endcall %}
