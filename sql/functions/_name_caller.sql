CREATE OR REPLACE FUNCTION pgagent_py._name_caller() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    NEW.caller := current_user;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._name_caller() IS 'Write the role that inserts into pgagent_py.request, as which this runs, into the row.';
