CREATE OR REPLACE FUNCTION pgagent_py._set_next_run() RETURNS trigger
LANGUAGE plpython3u SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{ python_call("next_run.set_next_run", "TD") }};

COMMENT ON FUNCTION pgagent_py._set_next_run() IS
'jobnextrun by the rules of pgagent_py, infinity when there is none: so that pgAgent''s trigger, which fires next, keeps it.';
