{% from "macros/verb.j2" import verb %}
{% call verb("keep_rows", ["jslid integer", "columns text[]", "rows jsonb AS text"]) %}
Keep rows of a step with keep_rows, before its result is reported. A launcher's backend calls it for a step that it has in
progress; for other steps nothing is done.

- jslid: the step's entry in the log.
- columns: the names of the columns.
- rows: a list of rows, each a list of texts; null is NULL.

Errors: 22023: rows is no list. 54000: they are too long.
{% endcall %}
