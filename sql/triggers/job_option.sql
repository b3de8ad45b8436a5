CREATE OR REPLACE FUNCTION pgagent_py._resolve_roles() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.jobowner IS DISTINCT FROM OLD.jobowner THEN
        NEW.jobownerid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.jobowner);
    END IF;
    IF TG_OP = 'INSERT' OR NEW.jobrunas IS DISTINCT FROM OLD.jobrunas THEN
        NEW.jobrunasid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.jobrunas);
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._resolve_roles() IS
'Find the ids of a job''s roles by their names, which were set or restored. A role that does not exist leaves its id '
'NULL, and the job cannot run.';

DROP TRIGGER IF EXISTS job_option_roles ON pgagent_py.job_option;
CREATE TRIGGER job_option_roles BEFORE INSERT OR UPDATE OF jobowner, jobrunas ON pgagent_py.job_option
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._resolve_roles();
