-- Newest run of a job, its failures in a row, and those that retention lets go, however long the history is.
CREATE INDEX IF NOT EXISTS pgagent_py_runs ON pgagent.pga_joblog (jlgjobid, jlgid);
ALTER INDEX pgagent.pgagent_py_runs DEPENDS ON EXTENSION pgagent_py;
COMMENT ON INDEX pgagent.pgagent_py_runs IS 'pgagent_py: the runs of a job in order.';

-- Once per statement, not per run. Here, and not in the launcher's code: the C++ daemon's runs count, too.
DROP TRIGGER IF EXISTS pgagent_py_run_started ON pgagent.pga_joblog;
CREATE TRIGGER pgagent_py_run_started AFTER INSERT ON pgagent.pga_joblog
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._tell_runs();
ALTER TRIGGER pgagent_py_run_started ON pgagent.pga_joblog DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_run_started ON pgagent.pga_joblog IS 'pgagent_py: notify who follows the runs.';

DROP TRIGGER IF EXISTS pgagent_py_run_ended ON pgagent.pga_joblog;
CREATE TRIGGER pgagent_py_run_ended AFTER UPDATE ON pgagent.pga_joblog
    REFERENCING NEW TABLE AS changed OLD TABLE AS before
    FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._tell_runs();
ALTER TRIGGER pgagent_py_run_ended ON pgagent.pga_joblog DEPENDS ON EXTENSION pgagent_py;
COMMENT ON TRIGGER pgagent_py_run_ended ON pgagent.pga_joblog IS 'pgagent_py: notify who follows the runs, queue messages.';
