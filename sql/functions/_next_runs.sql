CREATE OR REPLACE FUNCTION pgagent_py._next_runs(job integer, count integer, after text) RETURNS SETOF timestamptz
LANGUAGE plpython3u STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS {{ python_call("rules.next_run.next_runs", "job", "count", "after") }};

COMMENT ON FUNCTION pgagent_py._next_runs(integer, integer, text) IS
'next_runs() of a job that exists; after in microseconds since 1970, or infinity.';
