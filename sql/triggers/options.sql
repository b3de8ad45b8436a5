DROP TRIGGER IF EXISTS schedule_option_recompute ON pgagent_py.schedule_option;
CREATE TRIGGER schedule_option_recompute AFTER INSERT OR UPDATE OR DELETE ON pgagent_py.schedule_option
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._recompute_job();

DROP TRIGGER IF EXISTS setting_replace ON pgagent_py.setting;
CREATE TRIGGER setting_replace BEFORE INSERT ON pgagent_py.setting
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._change_setting();

DROP TRIGGER IF EXISTS setting_recompute ON pgagent_py.setting;
CREATE TRIGGER setting_recompute AFTER INSERT OR UPDATE ON pgagent_py.setting
    FOR EACH ROW WHEN (NEW.name = 'timezone') EXECUTE FUNCTION pgagent_py._change_setting();

DROP TRIGGER IF EXISTS job_option_roles ON pgagent_py.job_option;
CREATE TRIGGER job_option_roles BEFORE INSERT OR UPDATE OF jobowner, jobrunas ON pgagent_py.job_option
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._resolve_roles();

DROP TRIGGER IF EXISTS schedule_calendar_note ON pgagent_py.schedule_calendar;
CREATE TRIGGER schedule_calendar_note AFTER INSERT OR UPDATE OR DELETE ON pgagent_py.schedule_calendar
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._note_calendar();

DROP TRIGGER IF EXISTS calendar_day_added ON pgagent_py.calendar_day;
CREATE TRIGGER calendar_day_added AFTER INSERT ON pgagent_py.calendar_day REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._recompute_calendar();

DROP TRIGGER IF EXISTS calendar_day_dropped ON pgagent_py.calendar_day;
CREATE TRIGGER calendar_day_dropped AFTER DELETE ON pgagent_py.calendar_day REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._recompute_calendar();
