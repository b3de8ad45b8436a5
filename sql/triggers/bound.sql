CREATE OR REPLACE FUNCTION pgagent_py._resolve_owner() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    NEW.jobownerid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = NEW.jobowner);
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._resolve_owner() IS
'Find the id of a role by its name, which was set or restored. A role that does not exist leaves the id NULL.';

DROP TRIGGER IF EXISTS bound_owner ON pgagent_py.bound;
CREATE TRIGGER bound_owner BEFORE INSERT ON pgagent_py.bound
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._resolve_owner();
