{% from "macros/verb.j2" import verb %}
{% call verb("import_dbms_scheduler", ["jobs jsonb AS text", "dry_run boolean DEFAULT false"],
    returns="TABLE (job integer, name text, notes text[])") %}
Add the jobs of Oracle's DBMS_SCHEDULER, from a document that a query in docs/coming-over.md makes of
ALL_SCHEDULER_JOBS. Schedules, notifications (as e-mail), classes, time limits and failure limits come over. The jobs
and their steps are disabled, since the code is in another dialect.

- jobs: the document.
- dry_run: only return what would be added; job is NULL then.

Returns a row for each job, with notes on what could not be carried over.

Errors: 22023: jobs is no such document. 42501: the role may not edit pgAgent's tables.
{% endcall %}
