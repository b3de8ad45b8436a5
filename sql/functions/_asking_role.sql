CREATE OR REPLACE FUNCTION pgagent_py._asking_role() RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END
$sql$;

COMMENT ON FUNCTION pgagent_py._asking_role() IS
'The role of the session: its SET ROLE, or else the one that has logged in. In a SECURITY DEFINER function current_user '
'is another.';
