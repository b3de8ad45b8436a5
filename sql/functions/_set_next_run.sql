-- requires: _firing
CREATE OR REPLACE FUNCTION pgagent_py._set_next_run() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    SELECT to_timestamp(pgagent_py._firing(
               v.jscid, v.s_ctid, v.s_xmin, v.s_cmin, v.options, v.default_zone, v.exceptions,
               CASE WHEN NEW.joblastrun > clock_timestamp() THEN extract(epoch FROM NEW.joblastrun)::float8 END))
      INTO NEW.jobnextrun
      FROM pgagent_py.schedule_version v
     WHERE v.jscjobid = NEW.jobid AND v.jscenabled
     ORDER BY 1 LIMIT 1;
    IF NEW.jobnextrun IS NULL THEN
        NEW.jobnextrun := 'infinity';
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._set_next_run() IS
'jobnextrun by the rules of pgagent_py, infinity when there is none: so that pgAgent''s trigger, which fires next, keeps it.';
