DROP TRIGGER IF EXISTS group_grant_owner ON pgagent_py.group_grant;
CREATE TRIGGER group_grant_owner BEFORE INSERT ON pgagent_py.group_grant
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._resolve_owner();
