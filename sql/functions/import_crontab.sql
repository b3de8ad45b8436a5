-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.import_crontab(crontab text) RETURNS TABLE (job integer, name text)
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT r.job, r.name
      FROM jsonb_to_recordset(pgagent_py._ask('import_crontab', jsonb_build_object(
               'crontab', import_crontab.crontab))) r (job integer, name text)
$sql$;

COMMENT ON FUNCTION pgagent_py.import_crontab(text) IS
'Add a job for each command in the text of a user''s crontab: a batch step that runs in the home directory of the launcher''s user '
'with the environment that the lines before it set, what follows % as input. CRON_TZ is the schedule''s time zone, SHELL runs the '
'command, MAILTO gets its output by e-mail, the comment before it is the description. Error 22023 names the line; nothing is added then.';
