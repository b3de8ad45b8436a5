{% from "macros/on_pgagent.j2" import trigger %}
CREATE OR REPLACE FUNCTION pgagent_py._forget_skip() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    -- A restore, which sets this, brings the schedules back bit by bit.
    IF EXISTS (SELECT FROM pgagent_py.skip k WHERE k.jobid = NEW.jobid) AND current_setting('check_function_bodies')::boolean THEN
        DELETE FROM pgagent_py.skip k
         WHERE k.jobid = NEW.jobid
           AND k.skprules IS DISTINCT FROM (SELECT f.rules FROM pgagent_py.firing_rule f WHERE f.jobid = NEW.jobid);
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._forget_skip() IS
'The next run of a job is found again. If its schedules have changed, what skip_next_run() has left out is taken back.';

-- Not at the end of a run.
{% call trigger("pga_job_forget_skip", "BEFORE UPDATE", "pga_job", "_forget_skip",
    when="NEW.jobenabled AND NEW.jobnextrun IS NULL AND (OLD.jobagentid IS NULL OR NEW.jobagentid IS NOT NULL)") %}
a change of the schedules takes back what was to be skipped.
{% endcall %}
