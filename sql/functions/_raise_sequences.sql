{% set tables = {"pga_jobclass": "jclid", "pga_job": "jobid", "pga_jobstep": "jstid", "pga_schedule": "jscid",
                 "pga_exception": "jexid", "pga_joblog": "jlgid", "pga_jobsteplog": "jslid"} %}
{# Ids of ours that outlive the rows of pgAgent's log. #}
{% set ours = {"jlgid": ["run", "run_origin"], "jslid": ["run", "waiting_result"]} %}
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
DECLARE
    behind record;
    alone boolean;
BEGIN
    PERFORM pgagent_py._refuse_foreign_code();
    -- Several sessions may do this at once, and none waits: one that stays in its transaction would keep launchers from starting.
    -- nextval never sets back what another session has raised and used. Only a long way goes by setval, in one session at a time.
    LOOP
        SELECT q.name, q.used, q.used - q.next + 1 AS missing INTO behind FROM {{ behind() }} LIMIT 1;
        EXIT WHEN NOT FOUND;
        IF alone IS NULL AND behind.missing > 100000 THEN
            BEGIN
                LOCK TABLE pgagent_py.setting IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;
                alone := true;
            EXCEPTION WHEN lock_not_available THEN
                alone := false;
            END;
        ELSIF alone AND behind.missing > 100000 THEN
            PERFORM setval(behind.name::regclass, behind.used);
        ELSE
            PERFORM nextval(behind.name::regclass) FROM generate_series(1, least(behind.missing, 100000));
        END IF;
    END LOOP;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._raise_sequences() IS
'Raise pgAgent''s sequences to the ids that its tables, or our runs in progress, hold. pg_dump dumps the tables and not '
'the sequences, so after a restore they would hand out ids that are taken; so they would after TRUNCATE ... RESTART '
'IDENTITY of the log.';
