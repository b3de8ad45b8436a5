CREATE OR REPLACE FUNCTION pgagent_py.cancelled_runs() RETURNS TABLE (jlgid integer, note text)
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{ python_call("runs.cancel.cancelled_runs") }};

COMMENT ON FUNCTION pgagent_py.cancelled_runs() IS
'The runs of the agent of this backend that cancel_run() wants ended, with what their log is to say: what a launcher asks for when '
'it is notified on channel pgagent_py with the payload cancel, and when it has connected.';
