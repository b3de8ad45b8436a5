{% from "macros/verb.j2" import verb %}
{% call verb("import_jobs", [
    "jobs jsonb AS text",
    "dry_run boolean DEFAULT false",
], returns="TABLE (kind text, name text, action text, changes jsonb)",
    settings=["intervalstyle = 'postgres'", "extra_float_digits = 1"]) %}
Make jobs and calendars what a document of export_jobs() says, in one transaction. Missing ones are added and others
changed. Those that the document does not name stay as they are.

- jobs: the document.
- dry_run: true changes nothing, and returns the same rows.

Returns a row for each job and calendar of the document. action is add, change or same; changes has what differs, from
and to.

Errors: 22023 says where in the document the mistake is, and nothing is changed. 42501: the role may not edit
pgAgent's tables.
{% endcall %}
