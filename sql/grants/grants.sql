-- Every role may call the functions and read the public views, each of which shows it what it may see. The handlers in plpython/api/
-- decide what a role may do, by its rights on pgAgent's tables and its memberships.
GRANT USAGE ON SCHEMA pgagent_py TO PUBLIC;

-- A role that may execute a trigger function could put it on a table of its own and make up the rows. _firing is for triggers only.
DO $do$
DECLARE
    inner_function regprocedure;
BEGIN
    FOR inner_function IN
        SELECT p.oid FROM pg_catalog.pg_proc p
         WHERE p.pronamespace = 'pgagent_py'::regnamespace
           AND (p.prorettype = 'pg_catalog.trigger'::regtype OR p.proname = '_firing')
    LOOP
        EXECUTE pg_catalog.format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', inner_function);
    END LOOP;
END
$do$;
