CREATE OR REPLACE FUNCTION pgagent_py._agents_at_work() RETURNS TABLE (jagpid integer, role name, last_seen timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    RETURN QUERY SELECT v.jagpid, s.usename, CASE WHEN a.jagpooled THEN a.last_seen ELSE s.state_change END
      FROM pgagent_py.living_agent v
      JOIN pg_stat_activity s ON s.pid = v.jagpid
      LEFT JOIN pgagent_py.agent a ON a.jagpid = v.jagpid;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._agents_at_work() IS
'The agents that live, the role that each has logged in as, and when it has last asked the server for something. '
'pg_stat_activity hides that from most roles.';
