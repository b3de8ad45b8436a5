DROP TRIGGER IF EXISTS pgagent_py_moved ON pgagent.pga_schedule;
CREATE TRIGGER pgagent_py_moved AFTER UPDATE OF jscjobid ON pgagent.pga_schedule
    FOR EACH ROW WHEN (NEW.jscjobid <> OLD.jscjobid)
    EXECUTE FUNCTION pgagent_py._recompute_moved();
ALTER TRIGGER pgagent_py_moved ON pgagent.pga_schedule DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_moved ON pgagent.pga_schedule IS 'pgagent_py: next run of the job that has lost a schedule.';

DROP TRIGGER IF EXISTS pgagent_py_moved ON pgagent.pga_exception;
CREATE TRIGGER pgagent_py_moved AFTER UPDATE OF jexscid ON pgagent.pga_exception
    FOR EACH ROW WHEN (NEW.jexscid <> OLD.jexscid)
    EXECUTE FUNCTION pgagent_py._recompute_moved();
ALTER TRIGGER pgagent_py_moved ON pgagent.pga_exception DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_moved ON pgagent.pga_exception IS 'pgagent_py: next run of the job that has lost an exception.';

{% for table in ("pga_schedule", "pga_exception") %}
DROP TRIGGER IF EXISTS pgagent_py_truncated ON pgagent.{{ table }};
CREATE TRIGGER pgagent_py_truncated AFTER TRUNCATE ON pgagent.{{ table }}
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._recompute_moved();
ALTER TRIGGER pgagent_py_truncated ON pgagent.{{ table }} DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_truncated ON pgagent.{{ table }} IS 'pgagent_py: next runs, when all rows are gone at once.';
{% endfor %}
