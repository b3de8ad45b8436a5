CREATE OR REPLACE FUNCTION pgagent_py._upcoming_runs(until text, after text, count integer)
RETURNS TABLE (at text, jobid integer, jobname text)
LANGUAGE plpython3u STABLE STRICT
SET search_path = pg_catalog, pg_temp
SET jit = off
AS {{ python_call("rules.upcoming.upcoming_runs", "until", "after", "count") }};

COMMENT ON FUNCTION pgagent_py._upcoming_runs(text, text, integer) IS
'upcoming_runs() without an order among those of one time; until and after in microseconds since 1970, or infinity.';
