CREATE OR REPLACE FUNCTION pgagent_py.run_due(
    capacity integer DEFAULT 0,
    finished pgagent_py.step_result[] DEFAULT '{}',
    connecting integer[] DEFAULT '{}',
    own_places integer DEFAULT 100,
    ahead integer DEFAULT 0
) RETURNS SETOF pgagent_py.step_run
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $plpgsql$
DECLARE
    me uuid;
    knows text[];
    registered boolean;
    launches boolean;
    own integer := greatest(coalesce(own_places, 0), 0);
    more integer := greatest(coalesce(ahead, 0), 0);
    claims boolean := capacity > 0 OR own > 0 OR more > 0;
    problem text;
BEGIN
    IF capacity IS NULL OR capacity < 0 THEN
        RAISE EXCEPTION 'capacity must be 0 or more: %', coalesce(capacity::text, 'NULL') USING
            ERRCODE = 'invalid_parameter_value', HINT = 'Give the number of steps that can be executed now.';
    END IF;
    IF cardinality(finished) > 0 THEN
        SELECT format('finished[%s] has %s', r.ordinality, CASE WHEN r.jlgid IS NULL THEN 'no jlgid' WHEN r.jslid IS NULL THEN 'no jslid'
                      ELSE coalesce('jslstatus "' || r.jslstatus || '"', 'no jslstatus') END)
          INTO problem
          FROM unnest(finished) WITH ORDINALITY r
         WHERE r.jlgid IS NULL OR r.jslid IS NULL OR (r.jslstatus IN ('s', 'f', 'd', 'r')) IS NOT TRUE LIMIT 1;
        IF problem IS NOT NULL THEN
            RAISE EXCEPTION USING MESSAGE = problem, ERRCODE = 'invalid_parameter_value',
                HINT = 'Give jlgid and jslid as run_due has handed them out, and jslstatus s, f, d or r.';
        END IF;
    END IF;
    IF pg_is_in_recovery() THEN
        RETURN;
    END IF;
    IF current_setting('session_replication_role') = 'replica' THEN  -- a call each turn would cost more
        PERFORM pgagent_py._check_session();
    END IF;
    SELECT a.agent, a.jagknows INTO me, knows FROM pgagent_py.this_agent a;
    registered := me IS NOT NULL;
    -- An agent that knows own places is a launcher, also while all its workers are taken.
    launches := capacity > 0 OR more > 0 OR cardinality(finished) > 0
        OR ('{{ python_constant("ground.vocabulary.OWN_PLACES") }}' = ANY (knows)) IS TRUE;
    IF NOT registered THEN
        me := gen_random_uuid();
        PERFORM pgagent_py._ask(CASE WHEN launches THEN 'start_agent' ELSE 'start_session' END,
                                jsonb_build_object('agent', me));
    END IF;
    IF launches THEN
        BEGIN
            RETURN QUERY
            SELECT t.* FROM unnest(pgagent_py._turn(
                   me, capacity, coalesce(finished, '{}'), false, claims, coalesce(connecting, '{}'), own, more, false)) t;
        EXCEPTION WHEN OTHERS THEN
            -- once more, with care: if it is a job that makes the server fail, the others are booked and claimed without it
            RETURN QUERY
            SELECT t.* FROM unnest(pgagent_py._turn(
                   me, capacity, coalesce(finished, '{}'), false, claims, coalesce(connecting, '{}'), own, 0, true)) t;
        END;
    ELSE
        RETURN QUERY SELECT t.* FROM pgagent_py._run_here(me) t;
        IF NOT registered THEN
            PERFORM pgagent_py._ask('stop_agent', '{}');
        END IF;
    END IF;
END
$plpgsql$;

COMMENT ON FUNCTION pgagent_py.run_due(integer, pgagent_py.step_result[], integer[], integer, integer) IS
{% filter literal %}
Do one turn of scheduling: book the results of steps, claim due jobs, return steps to execute. Everything about
claiming, logging and next runs is behind this call. On a standby it does nothing.

- capacity: how many steps a launcher can execute now. It gets so many at most: the next steps of runs in progress
  first, then the first steps of due jobs, longest due first. Each has its entry in the log already.
- finished: the results of steps that a launcher has executed.
- connecting: those steps (jslid) of a launcher's that wait for a connection. It gets no more jobs that would wait for the
  same.
- own_places: how many steps a launcher takes beyond capacity, 100 at most: one for each owner with nothing running
  there; all jobs without an owner count as one owner's. Only an agent that knows "own places" (start_agent) gets
  them. 0, for a launcher that stops, means none.
- ahead: how many steps more, beyond capacity, a launcher takes though it has no worker for them: those of before are so
  short that some will be free before the next call could be made. Such a step has "ahead" set. One that has not begun
  soon is given back by hand_back(). None comes while there is something to choose by, such as owners, limits or
  priorities, or while somebody is notified of the start of runs.

With capacity 0 and no results the call itself runs due jobs: those whose enabled steps are all SQL in this database.
It returns a row for each step. Each step has a subtransaction of its own. Of the jobs that have an owner it runs
those that run as the role that has logged in. A role that may not run a launcher runs only these.

With capacity 0 and results the call books the results and returns nothing.

Errors: 22023: capacity is negative, or a result is incomplete. 42501: the role may not run jobs. 55000: the jobs come
by a subscription, or triggers do not fire in this session.
{% endfilter %};
