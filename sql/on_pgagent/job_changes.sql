{% from "macros/changes.j2" import tracked, triggers with context %}
{% from "macros/on_pgagent.j2" import trigger as on_pgagent %}
{% macro trigger(name, event, table, for_each="STATEMENT", when="", referencing="") -%}
{% set short = table.table.split(".")[1] %}
{% call on_pgagent(name, event, short, "_log_" ~ short, for_each=for_each, when=when, referencing=referencing) %}
who has changed what, for the view job_changes.
{% endcall %}
{%- endmacro %}
{% for table in tracked if table.table.startswith("pgagent.") %}
{{ triggers(table, "pgagent_py_", trigger) }}
{% endfor %}
