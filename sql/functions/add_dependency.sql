-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.add_dependency(
    job integer, after integer, "when" text DEFAULT 'success'
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('add_dependency', jsonb_build_object(
           'job', add_dependency.job,
           'after', add_dependency.after,
           'when', add_dependency."when"))
$sql$;

COMMENT ON FUNCTION pgagent_py.add_dependency(integer, integer, text) IS
'Let a job start when the job after has ended. "when": success, failure (failed or aborted) or finish (any end). Of several conditions all are '
'awaited, each time anew. The run finds in its parameters, under triggered_by, what has set it off. Given again, it replaces '
'"when". Error 22023 names the bad argument, such as after for a circle.';
