{% from "macros/verb.j2" import verb %}
{% call verb("import_jobs", [
    "jobs jsonb AS text",
    "dry_run boolean DEFAULT false",
    "source text DEFAULT NULL",
    "prune boolean DEFAULT false",
], returns="TABLE (kind text, name text, action text, changes jsonb)",
    settings=["intervalstyle = 'postgres'", "extra_float_digits = 1"]) %}
Make jobs and calendars what a document of export_jobs() says, in one transaction. Missing ones are added and others
changed. Those that the document does not name stay as they are.

- jobs: the document.
- dry_run: true changes nothing, and returns the same rows.
- source: a name for what the document is, for example of a folder of files. It is noted with the jobs that are added.
- prune: drop the jobs that an earlier document of this source has added and that this one does not name. Others stay.

Returns a row for each job and calendar of the document. action is add, change, same or drop; changes has what differs, from
and to.

Errors: 22023 says where in the document the mistake is, and nothing is changed. 42501: the role may not edit
pgAgent's tables.
{% endcall %}
