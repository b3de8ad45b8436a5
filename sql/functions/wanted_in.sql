CREATE OR REPLACE FUNCTION pgagent_py.wanted_in() RETURNS float8
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    RETURN (
        SELECT CASE WHEN EXISTS (SELECT FROM pgagent_py.run) OR EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobagentid IS NOT NULL)
                      OR EXISTS (SELECT FROM pgagent.pga_jobagent l
                                  WHERE NOT EXISTS (SELECT FROM pgagent_py.living_agent v WHERE v.jagpid = l.jagpid)) THEN 0
                    ELSE least(
                        (SELECT CASE WHEN isfinite(j.jobnextrun) THEN extract(epoch FROM j.jobnextrun - clock_timestamp())::float8
                             WHEN j.jobnextrun < now() THEN 0 END FROM pgagent.pga_job j
                          WHERE {{ python_constant("ground.vocabulary.IDLE") }} AND j.jobnextrun IS NOT NULL ORDER BY j.jobnextrun LIMIT 1),
                        (SELECT extract(epoch FROM min(q.qmsnotbefore) - clock_timestamp())::float8 FROM pgagent_py.queued_message q)) END
         WHERE pg_has_role(session_user, to_regrole('pgagent_py_launcher'), 'MEMBER'));
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.wanted_in() IS
{% filter literal %}
Return the seconds until a launcher has something to do in this database: a job is due, or a message is to be sent. 0 or
less: now, or runs are in progress, or an agent is gone and may have left some. NULL: nothing is foreseen, or the role
that has logged in may not run a launcher. A launcher of many databases asks before it serves one.
{% endfilter %};
