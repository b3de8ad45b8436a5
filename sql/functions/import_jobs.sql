{% from "macros/verb.j2" import verb %}
{% call verb("import_jobs", [
    "jobs jsonb",
    "dry_run boolean DEFAULT false",
], returns="TABLE (kind text, name text, action text, changes jsonb)") %}
Make jobs and calendars what a document of export_jobs() says: those that are missing are added, others are changed,
those that it does not name are left alone. Returns a row for each: action is add, change or same; changes: what
differs, from and to. dry_run: change nothing. Error 22023 says where in the document the mistake is; nothing is
changed then.
{% endcall %}
