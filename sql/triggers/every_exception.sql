CREATE OR REPLACE FUNCTION pgagent_py._change_exception() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $plpgsql$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM pgagent.pga_exception e WHERE e.jexid = OLD.jexid;
        DELETE FROM pgagent_py.exception e WHERE e.jexid = OLD.jexid;
        RETURN OLD;
    END IF;
    IF EXISTS (SELECT FROM pgagent_py.every_exception e
                WHERE (e.jexscid, e.jexdate, e.jextime) = (NEW.jexscid, NEW.jexdate, NEW.jextime)) THEN
        RAISE EXCEPTION 'there is an exception on_date % at_time % already', NEW.jexdate, NEW.jextime USING
            ERRCODE = 'unique_violation', HINT = 'The schedule has it.';
    END IF;
    NEW.jexid := nextval('pgagent.pga_exception_jexid_seq');
    BEGIN
        INSERT INTO pgagent.pga_exception (jexid, jexscid, jexdate, jextime)
        VALUES (NEW.jexid, NEW.jexscid, NEW.jexdate, NEW.jextime) ON CONFLICT (jexdate, jextime) DO NOTHING;
        IF FOUND THEN
            RETURN NEW;
        END IF;
    EXCEPTION WHEN lock_not_available OR serialization_failure THEN
        NULL; -- another transaction has just inserted the same date and time
    END;
    INSERT INTO pgagent_py.schedule_option (jscid) VALUES (NEW.jexscid) ON CONFLICT DO NOTHING;
    INSERT INTO pgagent_py.exception (jexid, jexscid, jexdate, jextime)
    VALUES (NEW.jexid, NEW.jexscid, NEW.jexdate, NEW.jextime);
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._change_exception() IS
'Insert an exception into pgAgent''s table, or into ours where that has no place for it. So nobody learns that another '
'schedule has the same, or waits for a transaction that is inserting it.';

DROP TRIGGER IF EXISTS every_exception_change ON pgagent_py.every_exception;
CREATE TRIGGER every_exception_change INSTEAD OF INSERT OR DELETE ON pgagent_py.every_exception
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._change_exception();
