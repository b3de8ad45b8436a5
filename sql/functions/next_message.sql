CREATE OR REPLACE FUNCTION pgagent_py.next_message(knows text[] DEFAULT '{}') RETURNS float8
LANGUAGE plpython3u VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS {{ python_call("api.messages.next_message", "knows", first="ground.foreign.refuse_here") }};

COMMENT ON FUNCTION pgagent_py.next_message(text[]) IS
{% filter literal %}
Return the seconds until a message is to be sent, NULL when none waits.

- knows: as in take_messages().
{% endfilter %};
