CREATE OR REPLACE FUNCTION pgagent_py._check_served() RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    subscription name := (SELECT s.subscription FROM pgagent_py.subscribed s LIMIT 1);
BEGIN
    IF subscription IS NOT NULL THEN
        RAISE EXCEPTION 'the jobs of this database come by subscription %: they run where they are published', subscription USING
            ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Drop the subscription, or let them run here, too: SELECT pgagent_py.set_serve_subscribed(true);';
    END IF;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._check_served() IS
'Raise an error if no job is to start here, because pga_job is the target of a subscription.';
