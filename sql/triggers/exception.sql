CREATE OR REPLACE FUNCTION pgagent_py._note_exception() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    UPDATE pgagent_py.schedule_option o SET jscid = o.jscid WHERE o.jscid IN (OLD.jexscid, NEW.jexscid);
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._note_exception() IS
'An exception in our own table has come or gone: make a new row version of the schedule''s options, as _note_calendar().';

DROP TRIGGER IF EXISTS exception_note ON pgagent_py.exception;
CREATE TRIGGER exception_note AFTER INSERT OR UPDATE OR DELETE ON pgagent_py.exception
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._note_exception();
