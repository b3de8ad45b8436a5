-- Every role may call the functions and read the public views, each of which shows it what it may see. The handlers in plpython/api/
-- decide what a role may do, by its rights on pgAgent's tables and its memberships. The rights are granted by name: the
-- administrator may have taken PUBLIC's default ones away (ALTER DEFAULT PRIVILEGES).
GRANT USAGE ON SCHEMA pgagent_py TO PUBLIC;
GRANT USAGE ON TYPE pgagent_py.step_run, pgagent_py.step_result TO PUBLIC;

-- A role that may execute a trigger function could put it on a table of its own and make up the rows. _firing, _firing_after
-- and _recompute are for triggers only.
DO $do$
DECLARE
    function regprocedure;
    inside boolean;
BEGIN
    FOR function, inside IN
        SELECT p.oid, p.prorettype IN ('pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype) OR p.proname IN ('_firing', '_firing_after', '_recompute')
          FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'pgagent_py'::regnamespace
    LOOP
        EXECUTE pg_catalog.format('%s EXECUTE ON FUNCTION %s %s PUBLIC', CASE WHEN inside THEN 'REVOKE' ELSE 'GRANT' END, function,
                                  CASE WHEN inside THEN 'FROM' ELSE 'TO' END);
    END LOOP;
END
$do$;
