CREATE OR REPLACE FUNCTION pgagent_py._handle_request() RETURNS trigger
LANGUAGE plpython3u SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET timezone = 'UTC'
AS {{ python_call("api.request.handle", "TD") }};

COMMENT ON FUNCTION pgagent_py._handle_request() IS
'Check what the caller may do and do it; the answer is {"value": ...} or {"error": ...}, then with nothing changed.';
