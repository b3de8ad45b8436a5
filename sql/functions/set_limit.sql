-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.set_limit(class text DEFAULT NULL, "group" text DEFAULT NULL, running integer DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('set_limit', jsonb_build_object(
           'class_', set_limit.class, 'group', set_limit."group", 'running', set_limit.running))
$sql$;

COMMENT ON FUNCTION pgagent_py.set_limit(text, text, integer) IS
'Let at most so many jobs of a class, or of a group (alter_job''s "group"), run at once, all launchers together; running NULL: any '
'number. What runs already goes on; due jobs that have no place wait for one. Error 22023 names the bad argument.';
