CREATE OR REPLACE FUNCTION pgagent_py._recompute(jobids integer[]) RETURNS void
LANGUAGE plpython3u VOLATILE
SET search_path = pg_catalog, pg_temp
AS {{ python_call("rules.recompute.recompute", "jobids") }};

COMMENT ON FUNCTION pgagent_py._recompute(integer[]) IS
'Give those of these jobs that are enabled and neither due nor running their next runs again.';
