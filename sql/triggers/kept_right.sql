CREATE OR REPLACE FUNCTION pgagent_py._give_back_right() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    object text;
BEGIN
    DELETE FROM pgagent_py.kept_right k WHERE k.id = NEW.id;
    IF NOT FOUND OR NEW.grantee <> 0 AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = NEW.grantee) THEN
        RETURN NULL;
    END IF;
    FOR object IN
        SELECT NEW.object WHERE CASE NEW.kind WHEN 'FUNCTION' THEN to_regprocedure(NEW.object) IS NOT NULL
                                              WHEN 'SCHEMA' THEN true
                                              WHEN 'TYPE' THEN to_regtype(NEW.object) IS NOT NULL
                                              ELSE to_regclass(NEW.object) IS NOT NULL END
         UNION ALL
        -- A function whose arguments have changed: those of its name follow it.
        SELECT p.oid::regprocedure::text FROM pg_proc p
         WHERE NEW.kind = 'FUNCTION' AND to_regprocedure(NEW.object) IS NULL
           AND p.oid::regproc::text = split_part(NEW.object, '(', 1)
    LOOP
        EXECUTE format('%s %s%s ON %s %s %s %s%s',
                       CASE WHEN NEW.granted THEN 'GRANT' ELSE 'REVOKE' END, NEW.privilege, '(' || NEW.part || ')', NEW.kind, object,
                       CASE WHEN NEW.granted THEN 'TO' ELSE 'FROM' END,
                       CASE NEW.grantee WHEN 0 THEN 'PUBLIC' ELSE NEW.grantee::regrole::text END,
                       CASE WHEN NOT NEW.granted THEN ' CASCADE' WHEN NEW.grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._give_back_right() IS
'At the end of a transaction that has updated the extension, repeat what users had granted or revoked before.';

-- Made once and never replaced: in a chain of updates the trigger of the first step has rows to act on already.
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                    WHERE t.tgrelid = 'pgagent_py.kept_right'::regclass AND t.tgname = 'kept_right_give_back') THEN
        CREATE CONSTRAINT TRIGGER kept_right_give_back AFTER UPDATE ON pgagent_py.kept_right
            DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (NEW.due) EXECUTE FUNCTION pgagent_py._give_back_right();
    END IF;
END
$do$;
