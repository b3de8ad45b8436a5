-- requires: _ask
CREATE OR REPLACE FUNCTION pgagent_py.start_agent(agent uuid, station text, again boolean DEFAULT false) RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $sql$
    SELECT pgagent_py._ask('start_agent', jsonb_build_object(
           'agent', start_agent.agent, 'station', start_agent.station, 'again', start_agent.again))
$sql$;

COMMENT ON FUNCTION pgagent_py.start_agent(uuid, text, boolean) IS
'Register this backend as an agent: agent is the launcher''s identity, which keeps its jobs when it comes back with another '
'backend; station is its host name, compared with jobhostagent; again: it has been registered before and has lost its connection, so '
'jobs that run when a launcher starts (@reboot) do not. Error 42501: the role may not run jobs.';
