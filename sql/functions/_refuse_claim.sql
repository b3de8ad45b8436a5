CREATE OR REPLACE FUNCTION pgagent_py._refuse_claim() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobid = NEW.jobid AND o.jobowner IS NOT NULL)
       AND NOT EXISTS (SELECT FROM pgagent_py.agent a WHERE a.jagpid = NEW.jobagentid) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._refuse_claim() IS
'Leave a job that has an owner alone when an agent claims it that knows nothing of owners: the C++ daemon would run it with its own '
'rights. It finds that it updated no row.';
