CREATE OR REPLACE FUNCTION pgagent_py._change_setting() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    IF TG_WHEN = 'BEFORE' THEN
        UPDATE pgagent_py.setting s SET value = NEW.value WHERE s.name = NEW.name;
        IF NOT FOUND THEN
            RETURN NEW;
        END IF;
        IF NEW.name = 'timezone' THEN
            PERFORM pgagent_py._raise_sequences();
        END IF;
        RETURN NULL;
    END IF;
    PERFORM pgagent_py._recompute(ARRAY(SELECT j.jobid FROM pgagent.pga_job j ORDER BY j.jobid));
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._change_setting() IS
'A setting that is inserted replaces the one of its name: a restore brings back those of the old database, over those '
'that CREATE EXTENSION has recorded. When the time zone changes, every sleeping job gets its next run again.';

DROP TRIGGER IF EXISTS setting_replace ON pgagent_py.setting;
CREATE TRIGGER setting_replace BEFORE INSERT ON pgagent_py.setting
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._change_setting();

DROP TRIGGER IF EXISTS setting_recompute ON pgagent_py.setting;
CREATE TRIGGER setting_recompute AFTER INSERT OR UPDATE ON pgagent_py.setting
    FOR EACH ROW WHEN (NEW.name = 'timezone') EXECUTE FUNCTION pgagent_py._change_setting();
