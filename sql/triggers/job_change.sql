{% from "macros/changes.j2" import function, tracked, triggers with context %}
{% macro trigger(name, event, table, for_each="STATEMENT", when="", referencing="") -%}
DROP TRIGGER IF EXISTS {{ name }} ON {{ table.table }};
CREATE TRIGGER {{ name }} {{ event }} ON {{ table.table }}
    {{ "REFERENCING " ~ referencing if referencing }} FOR EACH {{ for_each }}{{ " WHEN (" ~ when ~ ")" if when }}
    EXECUTE FUNCTION pgagent_py._log_{{ table.table.split(".")[1] }}();
{%- endmacro %}
{% for table in tracked %}
{{ function(table) }}
{% if table.table.startswith("pgagent_py.") %}

{{ triggers(table, table.table.split(".")[1] ~ "_", trigger) }}
{% endif %}

{% endfor %}
