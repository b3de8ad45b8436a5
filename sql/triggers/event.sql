CREATE OR REPLACE FUNCTION pgagent_py._note_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    -- By its name, and what was renamed.
    theirs oid[] := ARRAY[to_regnamespace('pgagent')::oid, (SELECT e.extnamespace FROM pg_extension e WHERE e.extname = 'pgagent')];
BEGIN
    IF EXISTS (
        SELECT FROM pg_event_trigger_ddl_commands() c
         WHERE c.schema_name = 'pgagent' OR c.classid = 'pg_namespace'::regclass AND c.objid = ANY (theirs)
            OR c.classid = 'pg_trigger'::regclass AND EXISTS (
               SELECT FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid WHERE t.oid = c.objid AND r.relnamespace = ANY (theirs))
            OR c.classid = 'pg_rewrite'::regclass AND EXISTS (
               SELECT FROM pg_rewrite w JOIN pg_class r ON r.oid = w.ev_class WHERE w.oid = c.objid AND r.relnamespace = ANY (theirs))
            OR c.classid = 'pg_statistic_ext'::regclass AND EXISTS (
               SELECT FROM pg_statistic_ext s JOIN pg_class r ON r.oid = s.stxrelid WHERE s.oid = c.objid AND r.relnamespace = ANY (theirs))
            OR c.classid = 'pg_proc'::regclass AND EXISTS (
               SELECT FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid WHERE t.tgfoid = c.objid AND r.relnamespace = ANY (theirs))
            OR c.classid = 'pg_class'::regclass AND (
               EXISTS (SELECT FROM pg_constraint k JOIN pg_class r ON r.oid = k.confrelid
                        WHERE k.conrelid = c.objid AND k.contype = 'f' AND r.relnamespace = ANY (theirs))
               OR EXISTS (SELECT FROM pg_inherits i JOIN pg_class r ON r.oid = i.inhparent
                           WHERE i.inhrelid = c.objid AND r.relnamespace = ANY (theirs))))
    THEN
        UPDATE pgagent_py.code_version v SET version = gen_random_uuid();
    END IF;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._note_ddl() IS
'A command may have hung code on pgAgent''s tables: the next call of any session looks at them again. A transaction with '
'an older snapshot, which would not find it, is refused.';

DROP EVENT TRIGGER IF EXISTS pgagent_py_note_ddl;
CREATE EVENT TRIGGER pgagent_py_note_ddl ON ddl_command_end
    WHEN TAG IN ('CREATE TRIGGER', 'CREATE RULE', 'CREATE TABLE', 'ALTER TABLE', 'CREATE INDEX', 'ALTER INDEX', 'CREATE SCHEMA',
                 'ALTER SCHEMA', 'CREATE FUNCTION', 'ALTER FUNCTION', 'ALTER ROUTINE', 'CREATE EXTENSION', 'ALTER EXTENSION',
                 'CREATE STATISTICS', 'ALTER STATISTICS', 'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'ALTER TRIGGER')
    EXECUTE FUNCTION pgagent_py._note_ddl();
