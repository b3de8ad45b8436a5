DROP TRIGGER IF EXISTS job_limit_owner ON pgagent_py.job_limit;
CREATE TRIGGER job_limit_owner BEFORE INSERT ON pgagent_py.job_limit
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._resolve_owner();
