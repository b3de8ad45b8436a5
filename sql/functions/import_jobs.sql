-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.import_jobs(jobs jsonb, dry_run boolean DEFAULT false)
RETURNS TABLE (kind text, name text, action text, changes jsonb)
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT r.kind, r.name, r.action, r.changes
      FROM jsonb_to_recordset(pgagent_py._ask('import_jobs', jsonb_build_object(
               'jobs', import_jobs.jobs, 'dry_run', import_jobs.dry_run))) r (kind text, name text, action text, changes jsonb)
$sql$;

COMMENT ON FUNCTION pgagent_py.import_jobs(jsonb, boolean) IS
'Make jobs and calendars what a document of export_jobs() says: those that are missing are added, others are changed, those that '
'it does not name are left alone. Returns a row for each: action is add, change or same; changes: what differs, from and to. '
'dry_run: change nothing. Error 22023 says where in the document the mistake is; nothing is changed then.';
