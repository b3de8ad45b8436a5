CREATE OR REPLACE FUNCTION pgagent_py._meet_dependencies() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF EXISTS (SELECT FROM pgagent_py.job_dependency) THEN
        INSERT INTO pgagent_py.dependency_met (jobid, jobafter, jlgid, jlgstatus)
        SELECT d.jobid, d.jobafter, ended.jlgid, ended.jlgstatus
          FROM after_it ended
          JOIN before_it started ON started.jlgid = ended.jlgid
          JOIN pgagent_py.job_dependency d ON d.jobafter = ended.jlgjobid
         WHERE started.jlgstatus = 'r' AND ended.jlgstatus <> 'r'
           AND CASE d.depwhen WHEN 'success' THEN ended.jlgstatus = 's'
                              WHEN 'failure' THEN ended.jlgstatus IN ('f', 'd')
                              ELSE true END;
        IF FOUND THEN
            PERFORM pg_notify('pgagent_py', '');
        END IF;
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._meet_dependencies() IS
'Runs have ended, whoever executed them: note which conditions of waiting jobs that meets, and wake the launchers.';
