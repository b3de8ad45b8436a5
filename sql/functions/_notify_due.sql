CREATE OR REPLACE FUNCTION pgagent_py._notify_due() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pg_notify('pgagent_py', '');
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._notify_due() IS 'Wake the launchers: a job is due sooner than they may be sleeping.';
