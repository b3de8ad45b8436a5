CREATE OR REPLACE FUNCTION pgagent_py._read_comment() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    -- So pg_dump's scripts and pg_restore set their sessions. They bring the options themselves.
    IF current_setting('row_security') = 'off' AND current_setting('check_function_bodies') = 'off' THEN
        RETURN NULL;
    END IF;
    IF TG_TABLE_NAME = 'pga_job' THEN
        PERFORM pgagent_py._ask('read_comment', jsonb_build_object('job', NEW.jobid));
    ELSIF TG_TABLE_NAME = 'pga_jobstep' THEN
        PERFORM pgagent_py._ask('read_comment', jsonb_build_object('step', NEW.jstid));
    ELSE
        PERFORM pgagent_py._ask('read_comment', jsonb_build_object('schedule', NEW.jscid));
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._read_comment() IS
'A comment with @ lines has come, changed or lost them: set the options that they name, as the role that has written it.';
