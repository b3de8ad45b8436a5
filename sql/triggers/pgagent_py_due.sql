-- Only due or sleeping jobs that nobody runs: what a claim and the next wake-up look for.
CREATE INDEX IF NOT EXISTS pgagent_py_due ON pgagent.pga_job (jobnextrun)
    WHERE jobenabled AND jobagentid IS NULL AND jobnextrun IS NOT NULL;

ALTER INDEX pgagent.pgagent_py_due DEPENDS ON EXTENSION pgagent_py;

COMMENT ON INDEX pgagent.pgagent_py_due IS 'pgagent_py: due jobs, longest due first, without reading the sleeping ones.';
