-- requires: _ask
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
