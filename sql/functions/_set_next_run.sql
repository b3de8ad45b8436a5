-- requires: _firing
CREATE OR REPLACE FUNCTION pgagent_py._set_next_run() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    -- ctid and xmin name one version of a row: a rule once compiled in this session need not be read again, nor its 135 flags.
    SELECT coalesce(
               to_timestamp(min(pgagent_py._firing(
                   s.jscid, s.ctid, s.xmin, o.ctid, o.xmin,
                   (SELECT z.value FROM pgagent_py.setting z WHERE z.name = 'timezone'),
                   EXISTS (SELECT FROM pgagent.pga_exception e WHERE e.jexscid = s.jscid)
                   OR o.jscid IS NOT NULL AND EXISTS (SELECT FROM pgagent_py.schedule_calendar c WHERE c.jscid = s.jscid),
                   CASE WHEN NEW.joblastrun > clock_timestamp() THEN extract(epoch FROM NEW.joblastrun)::float8 END))),
               'infinity')
      INTO NEW.jobnextrun
      FROM pgagent.pga_schedule s
      LEFT JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid
     WHERE s.jscjobid = NEW.jobid AND s.jscenabled;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._set_next_run() IS
'jobnextrun by the rules of pgagent_py, infinity when there is none: so that pgAgent''s trigger, which fires next, keeps it.';
