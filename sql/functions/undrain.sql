{% from "macros/verb.j2" import verb %}
{% call verb("undrain", ["launcher uuid"]) %}
Let a launcher that drain() has stopped take jobs again.

- launcher: its id in the view launchers.

Errors: as of drain().
{% endcall %}
