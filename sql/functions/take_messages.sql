-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.take_messages(count integer) RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('take_messages', jsonb_build_object('count', take_messages.count))
$sql$;

COMMENT ON FUNCTION pgagent_py.take_messages(integer) IS
'For launchers: at most count messages to send now, as a JSON array; finish_messages() is owed within five minutes, then they are '
'another launcher''s to send. Error 42501: the role may not run jobs.';

CREATE OR REPLACE FUNCTION pgagent_py.finish_messages(ids bigint[], errors text[], permanent boolean[]) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('finish_messages', jsonb_build_object(
           'ids', finish_messages.ids, 'errors', finish_messages.errors, 'permanent', finish_messages.permanent))
$sql$;

COMMENT ON FUNCTION pgagent_py.finish_messages(bigint[], text[], boolean[]) IS
'For launchers: what became of messages taken. error NULL: sent, so forget it; else try again after a while, unless permanent. '
'Error 42501: the role may not run jobs.';

CREATE OR REPLACE FUNCTION pgagent_py.next_message() RETURNS float8
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{ python_call("api.messages.next_message") }};

COMMENT ON FUNCTION pgagent_py.next_message() IS 'For launchers: seconds until a message is to be sent; NULL when none is waiting.';
