-- Roles belong to the whole server. So they may be there already, and DROP EXTENSION leaves them.
DO $do$
DECLARE
    wanted name;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['pgagent_py_user', 'pgagent_py_batch', 'pgagent_py_launcher',
                                 'pgagent_py_monitor', 'pgagent_py_operator', 'pgagent_py_email']::name[] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
END
$do$;
