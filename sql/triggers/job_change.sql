{% from "macros/changes.j2" import function, tracked, triggers with context %}
{% macro trigger(name, event, table, for_each="STATEMENT", when="", referencing="") -%}
DROP TRIGGER IF EXISTS {{ name }} ON {{ table.table }};
CREATE TRIGGER {{ name }} {{ event }} ON {{ table.table }}
    {{ "REFERENCING " ~ referencing if referencing }} FOR EACH {{ for_each }}{{ " WHEN (" ~ when ~ ")" if when }}
    EXECUTE FUNCTION pgagent_py._log_{{ table.table.split(".")[1] }}();
{%- endmacro %}
{% for table in tracked %}
{{ function(table) }}
{% if table.table.startswith("pgagent_py.") %}

{{ triggers(table, table.table.split(".")[1] ~ "_", trigger) }}
{% endif %}

{% endfor %}

CREATE OR REPLACE FUNCTION pgagent_py._forget_skips() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    -- In two steps: there is hardly ever a row of skip, and to look at the changes takes longer.
    IF NOT EXISTS (SELECT FROM pgagent_py.skip) THEN
        RETURN NULL;
    END IF;
    -- a DELETE here is told, too, if only of no row
    IF EXISTS (SELECT FROM changed) THEN
        PERFORM pgagent_py._refuse_foreign_code();
        -- One that a session has locked is left: it does not count with other schedules.
        DELETE FROM pgagent_py.skip d WHERE d.ctid = ANY (ARRAY(
               SELECT k.ctid FROM pgagent_py.skip k
                WHERE EXISTS (SELECT FROM changed c WHERE c.jobid = k.jobid OR c.jobid IS NULL)
                  AND k.skprules IS DISTINCT FROM (SELECT f.rules FROM pgagent_py.firing_rule f WHERE f.jobid = k.jobid)
                  FOR UPDATE SKIP LOCKED));
    END IF;
    RETURN NULL;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._forget_skips() IS
{% filter literal %}
Something was changed: take back what skip_next_run() has left out of jobs whose schedules are others now. What is told of no
job, as of a calendar, may concern any. A restore tells of nothing: it brings the schedules back bit by bit.
{% endfilter %};

DROP TRIGGER IF EXISTS forget_skips ON pgagent_py.job_change;
CREATE TRIGGER forget_skips AFTER INSERT ON pgagent_py.job_change
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION pgagent_py._forget_skips();
