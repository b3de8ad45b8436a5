{% set tables = {"pga_jobclass": "jclid", "pga_job": "jobid", "pga_jobstep": "jstid", "pga_schedule": "jscid",
                 "pga_exception": "jexid", "pga_joblog": "jlgid", "pga_jobsteplog": "jslid"} %}
{# Ids of ours that outlive the rows of pgAgent's log. #}
{% set ours = {"jlgid": ["run"], "jslid": ["run", "waiting_result"]} %}
{% macro behind() %}
(
{% for table, id in tables.items() %}
            {{ "UNION ALL " if not loop.first }}SELECT 'pgagent.{{ table }}_{{ id }}_seq' AS name,
                   greatest((SELECT max(t.{{ id }}) FROM {{ "pgagent_py.every_exception" if id == "jexid" else "pgagent." ~ table }} t)
                   {%- for own in ours.get(id, []) %}, (SELECT max(t.{{ id }}) FROM pgagent_py.{{ own }} t){% endfor %}) AS used,
                   s.last_value + s.is_called::integer AS next FROM pgagent.{{ table }}_{{ id }}_seq s
{% endfor %}
        ) q WHERE q.used >= q.next
{%- endmacro %}
CREATE OR REPLACE FUNCTION pgagent_py._raise_sequences() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF EXISTS (SELECT FROM {{ behind() }}) THEN
        -- Two sessions may find this at once: the second must not set back a sequence that the first has raised and used.
        PERFORM pg_advisory_xact_lock('pgagent_py._raise_sequences()'::regprocedure::oid::bigint);
        PERFORM setval(q.name::regclass, q.used) FROM {{ behind() }};
    END IF;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._raise_sequences() IS
'Raise pgAgent''s sequences to the ids that its tables, or our runs in progress, hold. pg_dump dumps the tables and not '
'the sequences, so after a restore they would hand out ids that are taken; so they would after TRUNCATE ... RESTART '
'IDENTITY of the log.';
