-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.add_job(
    name text, cron text DEFAULT NULL, sql text DEFAULT NULL, batch text DEFAULT NULL, database name DEFAULT NULL, timezone text DEFAULT NULL,
    description text DEFAULT NULL, class text DEFAULT NULL, host text DEFAULT NULL, enabled boolean DEFAULT true
) RETURNS integer
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('add_job', jsonb_build_object(
           'name', add_job.name,
           'cron', add_job.cron,
           'sql', add_job.sql,
           'batch', add_job.batch,
           'database', add_job.database,
           'timezone', add_job.timezone,
           'description', add_job.description,
           'class_', add_job.class,
           'host', add_job.host,
           'enabled', add_job.enabled))::integer
$sql$;

COMMENT ON FUNCTION pgagent_py.add_job(text, text, text, text, name, text, text, text, text, boolean) IS
'Add a job; with sql or batch it gets a step, with cron a schedule (two where cron''s days mean either-or). Returns '
'the job id. timezone: wall clock that cron is read in, default the database''s (default_timezone()). database: where '
'sql runs, default this one. class: an existing pgAgent job class, default the first. host: only agents on this host '
'run it. Error 22023 names the bad argument; nothing is added then.';
