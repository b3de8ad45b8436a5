CREATE OR REPLACE FUNCTION pgagent_py._ask(verb text, arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    result jsonb;
    error jsonb;
BEGIN
    -- A statement takes longer than the look.
    IF current_setting('session_replication_role') = 'replica' THEN
        PERFORM pgagent_py._check_session();
    END IF;
    INSERT INTO pgagent_py.request (verb, arguments) VALUES (_ask.verb, _ask.arguments) RETURNING answer INTO result;
    error := result -> 'error';
    IF error IS NOT NULL THEN
        -- Raised here, since PL/Python would put the name of an exception class before the message.
        RAISE EXCEPTION USING
            MESSAGE = error ->> 'message',
            ERRCODE = error ->> 'sqlstate',
            HINT = concat_ws(E'\n', error ->> 'hint', error ->> 'detail');
    END IF;
    RETURN result -> 'value';
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py._ask(text, jsonb) IS
'Pass a request through the view request as the calling role. Return its value, or raise its error.';
