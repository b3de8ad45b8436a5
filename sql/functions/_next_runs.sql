CREATE OR REPLACE FUNCTION pgagent_py._next_runs(job integer, count integer, after float8) RETURNS SETOF timestamptz
LANGUAGE plpython3u STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS {{ python_call("rules.next_run.next_runs", "job", "count", "after") }};

COMMENT ON FUNCTION pgagent_py._next_runs(integer, integer, float8) IS
'next_runs() of a job that exists; after in epoch seconds.';
