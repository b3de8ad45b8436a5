CREATE OR REPLACE FUNCTION pgagent_py._next_run(schedule integer, after text) RETURNS timestamptz
LANGUAGE plpython3u STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS {{ python_call("rules.next_run.next_run", "schedule", "after") }};

COMMENT ON FUNCTION pgagent_py._next_run(integer, text) IS
'next_run() of a schedule that exists; after in microseconds since 1970, or infinity.';
