CREATE OR REPLACE VIEW pgagent_py.request AS
SELECT NULL::name AS caller, NULL::text AS verb, NULL::jsonb AS arguments, NULL::jsonb AS answer
 WHERE false;

GRANT INSERT (verb, arguments), SELECT ON pgagent_py.request TO PUBLIC;

COMMENT ON VIEW pgagent_py.request IS
'The gate through which every changing function of the API passes: INSERT (verb, arguments) RETURNING answer. It holds '
'no rows.';
