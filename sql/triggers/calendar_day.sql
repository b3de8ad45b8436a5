CREATE OR REPLACE FUNCTION pgagent_py._recompute_calendar() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    PERFORM pgagent_py._recompute(ARRAY(
            SELECT DISTINCT s.jscjobid FROM pgagent.pga_schedule s
              JOIN pgagent_py.schedule_calendar a ON a.jscid = s.jscid
             WHERE a.calname IN (SELECT c.calname FROM changed c)));
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._recompute_calendar() IS
'Days of calendars have come or gone: the sleeping jobs that these concern get their next runs again. Due jobs stay '
'due.';

DROP TRIGGER IF EXISTS calendar_day_added ON pgagent_py.calendar_day;
CREATE TRIGGER calendar_day_added AFTER INSERT ON pgagent_py.calendar_day REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._recompute_calendar();

DROP TRIGGER IF EXISTS calendar_day_dropped ON pgagent_py.calendar_day;
CREATE TRIGGER calendar_day_dropped AFTER DELETE ON pgagent_py.calendar_day REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._recompute_calendar();

DROP TRIGGER IF EXISTS calendar_weekend ON pgagent_py.calendar;
CREATE TRIGGER calendar_weekend AFTER UPDATE ON pgagent_py.calendar REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._recompute_calendar();
