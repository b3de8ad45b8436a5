CREATE OR REPLACE FUNCTION pgagent_py.job_id(name text) RETURNS integer
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    found integer[] := ARRAY(SELECT v.jobid FROM pgagent_py.visible_job v WHERE v.jobname = name ORDER BY v.jobid LIMIT 11);
BEGIN
    IF cardinality(found) = 0 THEN
        RAISE EXCEPTION 'name: there is no job "%"', left(name, 1000) USING
            ERRCODE = 'invalid_parameter_value', HINT = 'Look at jobname in the view pgagent_py.visible_job.';
    ELSIF cardinality(found) > 1 THEN
        RAISE EXCEPTION 'name: several jobs are called "%"', left(name, 1000) USING
            ERRCODE = 'invalid_parameter_value',
            HINT = 'Give an id: ' || array_to_string(found[1:10], ', ') || CASE WHEN cardinality(found) > 10 THEN ', ...' ELSE '' END;
    END IF;
    RETURN found[1];
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.job_id(text) IS
{% filter literal %}
Return the id (jobid) of the job of this name, among those that the role may see.

Errors: 22023: there is no such job, or there are several.
{% endfilter %};
