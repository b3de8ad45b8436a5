CREATE OR REPLACE VIEW pgagent_py.request AS
SELECT NULL::name AS caller, NULL::text AS verb, NULL::jsonb AS arguments, NULL::jsonb AS answer
 WHERE false;

-- Two triggers, in the order of their names. The first runs as the role that inserts and notes who that is; the second, which
-- runs as the extension's owner, so knows for sure who asks, also inside that role's SECURITY DEFINER functions. A column
-- default would not do: a view on this one can have another default, for which nobody asks for a right on the column.
DROP TRIGGER IF EXISTS request_caller ON pgagent_py.request;
CREATE TRIGGER request_caller INSTEAD OF INSERT ON pgagent_py.request
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._name_caller();

DROP TRIGGER IF EXISTS request_handle ON pgagent_py.request;
CREATE TRIGGER request_handle INSTEAD OF INSERT ON pgagent_py.request
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._handle_request();

COMMENT ON VIEW pgagent_py.request IS
'The gate through which every changing function of the API passes: INSERT (verb, arguments) RETURNING answer. Holds no rows.';
