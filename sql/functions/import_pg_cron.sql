-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.import_pg_cron() RETURNS TABLE (job integer, name text)
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT r.job, r.name
      FROM jsonb_to_recordset(pgagent_py._ask('import_pg_cron', '{}')) r (job integer, name text)
$sql$;

COMMENT ON FUNCTION pgagent_py.import_pg_cron() IS
'Add a job for each of pg_cron''s, read from cron.job in this database: its schedule in pg_cron''s time zone, command, database, '
'active or not, owned by its user. cron.job is left as it is: unschedule the jobs there in the same transaction. Error 42P01: there '
'is no cron.job of pg_cron''s here, 22023: a schedule can''t be taken over; nothing is added then.';
