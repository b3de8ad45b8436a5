-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.drop_message(message integer) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('drop_message', jsonb_build_object('message', drop_message.message))
$sql$;

COMMENT ON FUNCTION pgagent_py.drop_message(integer) IS
'Delete a message that add_message made; what is queued already is sent. Error 22023: there is no such message.';
