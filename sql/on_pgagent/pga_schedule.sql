DROP TRIGGER IF EXISTS pgagent_py_moved ON pgagent.pga_schedule;
CREATE TRIGGER pgagent_py_moved AFTER UPDATE OF jscjobid ON pgagent.pga_schedule
    FOR EACH ROW WHEN (NEW.jscjobid <> OLD.jscjobid)
    EXECUTE FUNCTION pgagent_py._recompute_moved();
ALTER TRIGGER pgagent_py_moved ON pgagent.pga_schedule DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_moved ON pgagent.pga_schedule IS 'pgagent_py: next run of the job that has lost a schedule.';

DROP TRIGGER IF EXISTS pgagent_py_truncated ON pgagent.pga_schedule;
CREATE TRIGGER pgagent_py_truncated AFTER TRUNCATE ON pgagent.pga_schedule
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._recompute_moved();
ALTER TRIGGER pgagent_py_truncated ON pgagent.pga_schedule DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_truncated ON pgagent.pga_schedule IS 'pgagent_py: next runs, when all rows are gone at once.';
