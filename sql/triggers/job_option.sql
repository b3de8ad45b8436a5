CREATE OR REPLACE FUNCTION pgagent_py._resolve_roles() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    -- Not by pg_roles: a transaction with an old snapshot would find a role that had this name once.
    IF TG_OP = 'INSERT' OR NEW.jobowner IS DISTINCT FROM OLD.jobowner AND NEW.jobownerid IS NOT DISTINCT FROM OLD.jobownerid THEN
        NEW.jobownerid := to_regrole(quote_ident(NEW.jobowner));
    END IF;
    IF TG_OP = 'INSERT' OR NEW.jobrunas IS DISTINCT FROM OLD.jobrunas AND NEW.jobrunasid IS NOT DISTINCT FROM OLD.jobrunasid THEN
        NEW.jobrunasid := to_regrole(quote_ident(NEW.jobrunas));
    END IF;
    NEW.jobinstallation := CASE WHEN NEW.jobowner IS NOT NULL THEN (SELECT i.id FROM pgagent_py.installation i) END;
    RETURN NEW;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._resolve_roles() IS
'Find the ids of a job''s roles by their names, which were set or restored. A role that does not exist leaves its id '
'NULL, and the job cannot run.';

DROP TRIGGER IF EXISTS job_option_roles ON pgagent_py.job_option;
CREATE TRIGGER job_option_roles BEFORE INSERT OR UPDATE OF jobowner, jobrunas ON pgagent_py.job_option
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._resolve_roles();
-- Also where rows are replicated.
ALTER TABLE pgagent_py.job_option ENABLE ALWAYS TRIGGER job_option_roles;

CREATE OR REPLACE FUNCTION pgagent_py._note_roles() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    -- add_job() writes both rows by one statement: no snapshot has the one without the other.
    UPDATE pgagent.pga_job j SET jobid = j.jobid
     WHERE j.jobid IN (OLD.jobid, NEW.jobid)
       AND NOT EXISTS (SELECT FROM pgagent_py.job_option o WHERE o.jobid = j.jobid AND o.xmin = j.xmin);
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._note_roles() IS
'A job has got another owner, or runs as another role: make a new version of its row in pga_job. So a transaction with '
'an older snapshot, which does not see the new role, can neither lock nor claim the job.';

DROP TRIGGER IF EXISTS job_option_note ON pgagent_py.job_option;
CREATE TRIGGER job_option_note AFTER UPDATE ON pgagent_py.job_option
    FOR EACH ROW WHEN ((OLD.jobownerid, OLD.jobrunasid) IS DISTINCT FROM (NEW.jobownerid, NEW.jobrunasid))
    EXECUTE FUNCTION pgagent_py._note_roles();

DROP TRIGGER IF EXISTS job_option_note_new ON pgagent_py.job_option;
CREATE TRIGGER job_option_note_new AFTER INSERT ON pgagent_py.job_option
    FOR EACH ROW WHEN (NEW.jobowner IS NOT NULL) EXECUTE FUNCTION pgagent_py._note_roles();

DROP TRIGGER IF EXISTS job_option_note_gone ON pgagent_py.job_option;
CREATE TRIGGER job_option_note_gone AFTER DELETE ON pgagent_py.job_option
    FOR EACH ROW WHEN (OLD.jobowner IS NOT NULL) EXECUTE FUNCTION pgagent_py._note_roles();

CREATE OR REPLACE FUNCTION pgagent_py._owe() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    IF NEW.jobcatchup = 'all' THEN
        INSERT INTO pgagent_py.job_owed (jobid, jobschedules) VALUES (NEW.jobid, pgagent_py._schedules_version(NEW.jobid))
            ON CONFLICT (jobid) DO NOTHING;
    ELSE
        DELETE FROM pgagent_py.job_owed w WHERE w.jobid = NEW.jobid;
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._owe() IS
'From now on a job owes the times that were missed, or it does not any more.';

DROP TRIGGER IF EXISTS job_option_owe_new ON pgagent_py.job_option;
CREATE TRIGGER job_option_owe_new AFTER INSERT ON pgagent_py.job_option
    FOR EACH ROW WHEN (NEW.jobcatchup = 'all') EXECUTE FUNCTION pgagent_py._owe();

DROP TRIGGER IF EXISTS job_option_owe ON pgagent_py.job_option;
CREATE TRIGGER job_option_owe AFTER UPDATE ON pgagent_py.job_option
    FOR EACH ROW WHEN (NEW.jobcatchup IS DISTINCT FROM OLD.jobcatchup) EXECUTE FUNCTION pgagent_py._owe();
