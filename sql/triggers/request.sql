CREATE OR REPLACE FUNCTION pgagent_py._name_caller() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    NEW.caller := current_user;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._name_caller() IS
'Write the role that inserts into the view request, as which this function runs, into the row.';

CREATE OR REPLACE FUNCTION pgagent_py._handle_request() RETURNS trigger
LANGUAGE plpython3u SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
AS {{ python_call("api.request.handle", "TD") }};

COMMENT ON FUNCTION pgagent_py._handle_request() IS
'Check whether the caller may do what it asks for, and do it. The answer is {"value": ...}, or {"error": ...} with '
'nothing changed.';

-- Two triggers, fired in the order of their names. The first runs as the role that inserts, and writes its name into the row. The
-- second runs as the extension's owner. So it knows for sure which role asks, also inside that role's SECURITY DEFINER functions.
-- A column default would not do: a view on this one can have a default of its own, and needs no right on the column for it.
DROP TRIGGER IF EXISTS request_caller ON pgagent_py.request;
CREATE TRIGGER request_caller INSTEAD OF INSERT ON pgagent_py.request
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._name_caller();

DROP TRIGGER IF EXISTS request_handle ON pgagent_py.request;
CREATE TRIGGER request_handle INSTEAD OF INSERT ON pgagent_py.request
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._handle_request();
