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
