{% from "macros/verb.j2" import verb %}
{% call verb("drain", ["launcher uuid"]) %}
Let a launcher finish the steps that it runs and take nothing more, for as long as it lives. A run with another step goes
on at another launcher that may take it; where there is none, it waits. With --exit-when-drained the launcher then ends.

- launcher: its id in the view launchers.

Errors: 22023: there is no such launcher. 42501: the role may neither edit pgAgent's tables nor is it in
pgagent_py_operator.
{% endcall %}
