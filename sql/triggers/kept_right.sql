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
