-- Jobs that somebody runs: counted under a limit, taken up or closed with their agent.
CREATE INDEX IF NOT EXISTS pgagent_py_running ON pgagent.pga_job (jobagentid) WHERE jobagentid IS NOT NULL;

ALTER INDEX pgagent.pgagent_py_running DEPENDS ON EXTENSION pgagent_py;

COMMENT ON INDEX pgagent.pgagent_py_running IS 'pgagent_py: the jobs in progress, without reading the sleeping ones.';
