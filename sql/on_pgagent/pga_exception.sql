DROP TRIGGER IF EXISTS pgagent_py_moved ON pgagent.pga_exception;
CREATE TRIGGER pgagent_py_moved AFTER UPDATE OF jexscid ON pgagent.pga_exception
    FOR EACH ROW WHEN (NEW.jexscid <> OLD.jexscid)
    EXECUTE FUNCTION pgagent_py._recompute_moved();
ALTER TRIGGER pgagent_py_moved ON pgagent.pga_exception DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_moved ON pgagent.pga_exception IS 'pgagent_py: next run of the job that has lost an exception.';

DROP TRIGGER IF EXISTS pgagent_py_truncated ON pgagent.pga_exception;
CREATE TRIGGER pgagent_py_truncated AFTER TRUNCATE ON pgagent.pga_exception
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._recompute_moved();
ALTER TRIGGER pgagent_py_truncated ON pgagent.pga_exception DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_truncated ON pgagent.pga_exception IS 'pgagent_py: next runs, when all rows are gone at once.';
