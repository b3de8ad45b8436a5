-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.export_jobs() RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('export_jobs', '{}')
$sql$;

COMMENT ON FUNCTION pgagent_py.export_jobs() IS
'The definitions of all jobs, with steps, schedules, options and messages, and of all calendars, as a JSON document that '
'import_jobs() reads. What has its default is left out; so is history. Error 42501: the role may not edit pgagent''s tables.';
