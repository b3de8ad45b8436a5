{% from "macros/plans.j2" import fixed_plans %}
CREATE OR REPLACE FUNCTION pgagent_py.next_wake() RETURNS float8
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
{% for setting in fixed_plans %}
SET {{ setting }}
{% endfor %}
AS {{ python_call("runs.wake.next_wake", first="ground.foreign.refuse_here") }};

COMMENT ON FUNCTION pgagent_py.next_wake() IS
{% filter literal %}
Return the seconds until this backend's agent should call run_due() again, unless a notification on channel pgagent_py
or a result comes before. NULL: nothing is foreseen. It looks at the next due job, at runs that wait, and at other
agents whose runs may have to be closed.
{% endfilter %};
