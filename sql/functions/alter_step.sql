-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.alter_step(
    step integer, name text DEFAULT NULL, sql text DEFAULT NULL, batch text DEFAULT NULL, database name DEFAULT NULL,
    connstr text DEFAULT NULL, on_error text DEFAULT NULL, enabled boolean DEFAULT NULL, description text DEFAULT NULL,
    atomic boolean DEFAULT NULL, timeout interval DEFAULT NULL, retries integer DEFAULT NULL, retry_delay interval DEFAULT NULL,
    retry_backoff float8 DEFAULT NULL
) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('alter_step', jsonb_build_object(
           'step', alter_step.step,
           'name', alter_step.name,
           'sql', alter_step.sql,
           'batch', alter_step.batch,
           'database', alter_step.database,
           'connstr', alter_step.connstr,
           'on_error', alter_step.on_error,
           'enabled', alter_step.enabled,
           'description', alter_step.description,
           'atomic', alter_step.atomic,
           'timeout', extract(epoch FROM alter_step.timeout),
           'retries', alter_step.retries,
           'retry_delay', extract(epoch FROM alter_step.retry_delay),
           'retry_backoff', alter_step.retry_backoff))
$sql$;

COMMENT ON FUNCTION pgagent_py.alter_step(
    integer, text, text, text, name, text, text, boolean, text, boolean, interval, integer, interval, float8) IS
'Change what is given of a step; NULL leaves as it is. sql or batch: the new code, which may change the kind. connstr '''': back to '
'this database. timeout: the step is stopped and fails when it takes longer; 0 for none. retries: how often it is tried again after a '
'failure, before on_error counts; retry_delay: time to the next try, default 1 s; retry_backoff: factor by which the delay grows from '
'try to try, default 1. Error 22023 names the bad argument.';
