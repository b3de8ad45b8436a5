CREATE OR REPLACE FUNCTION pgagent_py._window_times() RETURNS TABLE (
    name text, open boolean, until text, next text, error text)
LANGUAGE plpython3u STABLE
SET search_path = pg_catalog, pg_temp
AS {{ python_call("rules.read_windows.window_times") }};

COMMENT ON FUNCTION pgagent_py._window_times() IS
'Of each window whether it is open now, until when, when it opens next, and the error that keeps it from being known.';
