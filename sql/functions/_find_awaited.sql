CREATE OR REPLACE FUNCTION pgagent_py._find_awaited(name text) RETURNS void
LANGUAGE plpython3u VOLATILE
SET search_path = pg_catalog, pg_temp
AS {{ python_call("api.comments.end_waiting", "name") }};

COMMENT ON FUNCTION pgagent_py._find_awaited(text) IS
'Make the dependencies of @after lines that wait for a job of this name. In a call of a verb: at its end, when the job''s owner '
'is known.';
