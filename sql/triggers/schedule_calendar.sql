CREATE OR REPLACE FUNCTION pgagent_py._note_calendar() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    UPDATE pgagent_py.schedule_option o SET jscid = o.jscid WHERE o.jscid IN (OLD.jscid, NEW.jscid);
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._note_calendar() IS
'A calendar was attached to a schedule, or detached: make a new row version of the schedule''s options. By it, sessions '
'notice that the rule they keep is out of date, and its trigger gives the job its next run again.';

DROP TRIGGER IF EXISTS schedule_calendar_note ON pgagent_py.schedule_calendar;
CREATE TRIGGER schedule_calendar_note AFTER INSERT OR UPDATE OR DELETE ON pgagent_py.schedule_calendar
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._note_calendar();
