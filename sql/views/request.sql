CREATE OR REPLACE VIEW pgagent_py.request AS
SELECT NULL::name AS caller, NULL::text AS verb, NULL::jsonb AS arguments, NULL::jsonb AS answer
 WHERE false;

-- The default is evaluated as the role that inserts, and nobody is granted INSERT on the column: so the trigger, which runs
-- as the extension's owner, knows for sure who asks, also inside that role's SECURITY DEFINER functions.
ALTER VIEW pgagent_py.request ALTER COLUMN caller SET DEFAULT current_user;

DROP TRIGGER IF EXISTS request_handle ON pgagent_py.request;
CREATE TRIGGER request_handle INSTEAD OF INSERT ON pgagent_py.request
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._handle_request();

COMMENT ON VIEW pgagent_py.request IS
'The gate through which every changing function of the API passes: INSERT (verb, arguments) RETURNING answer. Holds no rows.';
