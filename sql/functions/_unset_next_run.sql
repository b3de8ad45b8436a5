CREATE OR REPLACE FUNCTION pgagent_py._unset_next_run() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    NEW.jobnextrun := NULL;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._unset_next_run() IS 'infinity, which stood for no next run, back to NULL.';
