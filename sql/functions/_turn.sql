{% from "macros/plans.j2" import fixed_plans %}
CREATE OR REPLACE FUNCTION pgagent_py._turn(
    agent uuid, capacity integer, finished pgagent_py.step_result[], local boolean, claim boolean, connecting integer[], own_places integer,
    ahead integer, apart boolean
) RETURNS pgagent_py.step_run[]
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET intervalstyle = 'postgres'
SET pgagent_py.in_turn = 'on'
{% for setting in fixed_plans %}
SET {{ setting }}
{% endfor %}
AS {{ python_call("runs.turn.run_due", "agent", "capacity", "finished", "local", "claim", "connecting", "own_places", "ahead", "apart") }};

COMMENT ON FUNCTION pgagent_py._turn(uuid, integer, pgagent_py.step_result[], boolean, boolean, integer[], integer, integer, boolean) IS
{% filter literal %}
One turn of run_due() for the agent that this backend is registered as. Only the role that has registered it reads its
id in this_agent. It returns an array: PL/Python returns a set row by row, and the settings above would be made and
undone for each row.
{% endfilter %};
