CREATE OR REPLACE FUNCTION pgagent_py.next_run(schedule integer, after timestamptz DEFAULT now()) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
BEGIN
    IF NOT EXISTS (SELECT FROM pgagent_py.visible_schedule_rule r WHERE r.jscid = schedule) THEN
        RAISE EXCEPTION 'schedule % does not exist', schedule USING
            ERRCODE = 'invalid_parameter_value', HINT = 'Look at jscid in the view pgagent_py.visible_schedule.';
    END IF;
    RETURN pgagent_py._next_run(schedule, pgagent_py._instant(after));
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.next_run(integer, timestamptz) IS
{% filter literal %}
Return when a schedule fires first after some time, whether it is enabled or not. NULL: never. The rules are in
docs/next-run.md.

- schedule: its id (jscid).
- after: the answer is later than this. Default: now.

Errors: 22023: there is no such schedule, or the role may not see it.
{% endfilter %};
