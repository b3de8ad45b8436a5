-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.add_step(
    job integer, name text, sql text DEFAULT NULL, batch text DEFAULT NULL, database name DEFAULT NULL, connstr text DEFAULT NULL,
    on_error text DEFAULT 'fail', enabled boolean DEFAULT true, description text DEFAULT NULL, atomic boolean DEFAULT false
) RETURNS integer
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('add_step', jsonb_build_object(
           'job', add_step.job,
           'name', add_step.name,
           'sql', add_step.sql,
           'batch', add_step.batch,
           'database', add_step.database,
           'connstr', add_step.connstr,
           'on_error', add_step.on_error,
           'enabled', add_step.enabled,
           'description', add_step.description,
           'atomic', add_step.atomic))::integer
$sql$;

COMMENT ON FUNCTION pgagent_py.add_step(integer, text, text, text, name, text, text, boolean, text, boolean) IS
'Add a step, either sql (in database, default this one, or where the libpq string connstr leads) or batch (a script). '
'Steps run in the order of their names. on_error: fail (the job), success (count as success) or ignore. atomic: code '
'and log entry of a local sql step commit in one transaction. Returns the step id. Error 22023 names the bad '
'argument.';
