CREATE TABLE pgagent_py.run (
    jlgid integer PRIMARY KEY,
    jobid integer NOT NULL,
    agent uuid NOT NULL,
    claimed timestamptz NOT NULL,
    started timestamptz NOT NULL,
    jstid integer NOT NULL,
    jslid integer,
    handed timestamptz,
    try integer NOT NULL DEFAULT 1,
    atomic boolean NOT NULL DEFAULT false,
    booked boolean NOT NULL DEFAULT false,
    done integer[],
    not_before timestamptz,
    waiting_since timestamptz,
    engine text,
    enginejob text,
    stopped_by text,
    joblastrun timestamptz
) WITH (fillfactor = 70);

-- Small: most runs have a step with their agent.
CREATE INDEX run_waiting ON pgagent_py.run (agent, not_before) WHERE jslid IS NULL;

-- What an agent has in progress.
CREATE INDEX run_agent ON pgagent_py.run (agent);

-- An atomic step books itself by the number of its log row, which may be gone from the log.
CREATE INDEX run_atomic ON pgagent_py.run (jslid) WHERE atomic;

CREATE INDEX run_engine ON pgagent_py.run (agent, jslid) WHERE engine IS NOT NULL;

COMMENT ON TABLE pgagent_py.run IS
{% filter literal %}
Runs in progress that our agents execute, and what of each was executed: nothing else tells it, since users may prune
pgAgent's log. A row comes with the claim and goes with the end of the run. No foreign keys: they would wait for
sessions that have the log locked, and the log may be erased while a run goes on.
{% endfilter %};
COMMENT ON COLUMN pgagent_py.run.agent IS
'The agent that executes the run. It is the same one when it comes back with another backend.';
COMMENT ON COLUMN pgagent_py.run.claimed IS
'joblastrun of the claim: while the job has it, and the pid of this agent, it is claimed for this run.';
COMMENT ON COLUMN pgagent_py.run.started IS
'When the run has started, by the clock: the job''s timeout counts from then.';
COMMENT ON COLUMN pgagent_py.run.jstid IS
'The step that the agent has, or the last one that it had.';
COMMENT ON COLUMN pgagent_py.run.jslid IS
'Log row of the step that the agent has, and owes a result. NULL: it has none, and the run waits.';
COMMENT ON COLUMN pgagent_py.run.handed IS
'When the step was handed out. With jslid it names this try of the step: after a failover, numbers may come again.';
COMMENT ON COLUMN pgagent_py.run.try IS
'Which try of the step this is, from 1.';
COMMENT ON COLUMN pgagent_py.run.atomic IS
'Whether the step was handed out as atomic: its success counts if it has booked itself.';
COMMENT ON COLUMN pgagent_py.run.booked IS
'The atomic step has booked its success, in its own transaction; the agent has not reported it yet.';
COMMENT ON COLUMN pgagent_py.run.done IS
'The steps (jstid) that have ended and are not executed again in this run. NULL: none yet.';
COMMENT ON COLUMN pgagent_py.run.not_before IS
'While the run waits: for a free place, for a step that a session has locked, or for the next try of a step.';
COMMENT ON COLUMN pgagent_py.run.waiting_since IS
'While the run waits. A time in the future means that the clock was set back: it has waited long enough.';
COMMENT ON COLUMN pgagent_py.run.engine IS
'The engine that has the step, if the step goes on there without the agent. NULL: it ends with the agent.';
COMMENT ON COLUMN pgagent_py.run.enginejob IS
'What that engine calls the step. NULL: not known yet.';
COMMENT ON COLUMN pgagent_py.run.stopped_by IS
'The windows that have closed while it was in progress, so that it is to end. NULL: it goes on.';
COMMENT ON COLUMN pgagent_py.run.joblastrun IS
'joblastrun of the job before the claim, for a run that is handed back.';
