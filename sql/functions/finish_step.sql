-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.finish_step(jslid integer, jslresult integer, jsloutput text, jslduration interval) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('finish_step', jsonb_build_object(
           'jslid', finish_step.jslid, 'jslresult', finish_step.jslresult, 'jsloutput', finish_step.jsloutput,
           'seconds', extract(epoch FROM finish_step.jslduration)))
$sql$;

COMMENT ON FUNCTION pgagent_py.finish_step(integer, integer, text, interval) IS
'Log an atomic step as successful, in the transaction of its code: the last thing that a launcher does in it before COMMIT. '
'Error 55000: the step is not running (any more), so its effects must not be committed.';
