-- Every role may call the API. The handlers decide what a role may do, by its rights on pgAgent's tables and its memberships.
GRANT USAGE ON SCHEMA pgagent_py TO PUBLIC;
GRANT INSERT (verb, arguments), SELECT ON pgagent_py.request TO PUBLIC;
GRANT SELECT ON pgagent_py.this_agent, pgagent_py.visible_job, pgagent_py.visible_step, pgagent_py.visible_schedule,
    pgagent_py.visible_exception, pgagent_py.visible_schedule_rule TO PUBLIC;
GRANT SELECT ON pgagent_py.job_status, pgagent_py.run_history, pgagent_py.job_message, pgagent_py.unsent_message TO PUBLIC;
GRANT SELECT ON pgagent_py.job_options, pgagent_py.step_options, pgagent_py.schedule_options, pgagent_py.calendars,
    pgagent_py.paused, pgagent_py.limits, pgagent_py.dependencies TO PUBLIC;

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
