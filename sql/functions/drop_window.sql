{% from "macros/verb.j2" import verb %}
{% call verb("drop_window", ["name text"]) %}
Delete a window.

Errors: 22023: there is no such window. 2BP01: a job or a class has it. 42501: the role may not edit pgAgent's tables.
{% endcall %}
