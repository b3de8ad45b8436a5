CREATE OR REPLACE FUNCTION pgagent_py._check_session() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF current_setting('session_replication_role') = 'replica' THEN
        RAISE EXCEPTION 'session_replication_role is replica: triggers do not fire, and nothing would be done' USING
            ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SET session_replication_role = origin. ALTER ROLE or ALTER DATABASE may have set it.';
    END IF;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._check_session() IS
'Raise an error if triggers do not fire in this session: all that changes something depends on them.';
