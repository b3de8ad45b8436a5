CREATE OR REPLACE FUNCTION pgagent_py._find_awaited() RETURNS void
LANGUAGE plpython3u VOLATILE
SET search_path = pg_catalog, pg_temp
AS {{ python_call("api.comments.end_waiting") }};

COMMENT ON FUNCTION pgagent_py._find_awaited() IS
'Make the dependencies of @after lines whose job is there by now. In a call of a verb: at its end, when the job''s owner '
'is known.';
