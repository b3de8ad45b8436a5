DROP TRIGGER IF EXISTS pgagent_py_follow ON pgagent.pga_joblog;
-- By statement: run_due ends many runs in one, and asks once whether any job waits for another at all.
CREATE TRIGGER pgagent_py_follow AFTER UPDATE ON pgagent.pga_joblog
    REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._meet_dependencies();
ALTER TRIGGER pgagent_py_follow ON pgagent.pga_joblog DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_follow ON pgagent.pga_joblog IS 'pgagent_py: jobs that wait for the end of others.';
