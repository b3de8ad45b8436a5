CREATE OR REPLACE FUNCTION pgagent_py.next_message() RETURNS float8
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{ python_call("api.messages.next_message") }};

COMMENT ON FUNCTION pgagent_py.next_message() IS
'Return the seconds until a message is to be sent, NULL when none waits.';
