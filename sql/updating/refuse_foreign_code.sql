-- What roles that are no superusers have hung on pgAgent's tables would be executed with our rights, by the first query that is
-- planned here. Nothing can be hung on them while they are locked.
LOCK TABLE pgagent.pga_jobagent, pgagent.pga_jobclass, pgagent.pga_job, pgagent.pga_jobstep, pgagent.pga_schedule,
           pgagent.pga_exception, pgagent.pga_joblog, pgagent.pga_jobsteplog IN SHARE ROW EXCLUSIVE MODE;
DO $do$
DECLARE
    found text := (SELECT string_agg(f.what, '; ') FROM pgagent_py.foreign_code f);
BEGIN
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'pgagent_py does not build on tables that execute code of others: %', found USING
            ERRCODE = 'insufficient_privilege', HINT = 'Drop it, or let a superuser own it. See docs/security.md.';
    END IF;
END
$do$;
