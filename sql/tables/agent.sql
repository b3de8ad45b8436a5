CREATE TABLE pgagent_py.agent (
    jagpid integer PRIMARY KEY,
    agent uuid NOT NULL,
    jagstation text NOT NULL,
    backend_start timestamptz NOT NULL,
    jagrole oid NOT NULL,
    jagall boolean NOT NULL,
    jagown boolean NOT NULL,
    jagreboot integer[],
    missing_since timestamptz,
    jagknows text[] NOT NULL DEFAULT '{}',
    jagpooled boolean NOT NULL DEFAULT false,
    last_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    jagleft integer[],
    jagversion text,
    jagplaces integer,
    jagserves timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON COLUMN pgagent_py.agent.jagrole IS
'The role that has registered it. No other role can use the registration.';
COMMENT ON COLUMN pgagent_py.agent.jagall IS
'It may run every job, as a launcher does. For jobs with an owner a launcher logs in again.';
COMMENT ON COLUMN pgagent_py.agent.jagown IS
'It may run the jobs of jagrole in this session: this role has logged in, so RESET ROLE in a step leads to no other.';
COMMENT ON COLUMN pgagent_py.agent.jagreboot IS
'Jobs that are to run because it has started, and that sessions had locked then: they are not due yet. NULL: none.';
COMMENT ON COLUMN pgagent_py.agent.jagknows IS
'What it has beyond what 1.0 knows: labels, engines, kinds of steps. It is handed no step that needs more (step_need).';

COMMENT ON COLUMN pgagent_py.agent.jagpooled IS
'A connection pooler stands between it and its backend. Then the backend''s life is not its life: last_seen counts.';
COMMENT ON COLUMN pgagent_py.agent.last_seen IS
'When it was last seen, kept up only if jagpooled.';
COMMENT ON COLUMN pgagent_py.agent.jagleft IS
'Runs (jlgid) that another session was closing, or had closed, when it came back: it goes on with none of them.';
COMMENT ON COLUMN pgagent_py.agent.jagversion IS
'The version of the launcher, as it says.';
COMMENT ON COLUMN pgagent_py.agent.jagplaces IS
'How many steps it executes at the same time, as it says.';
COMMENT ON COLUMN pgagent_py.agent.jagserves IS
'Since when the database has been served without a break, by this agent or others. What was due before that was missed.';

COMMENT ON TABLE pgagent_py.agent IS
{% filter literal %}
Launchers at work: the identity of each (agent) beside the backend pid that pga_jobagent knows. The identity outlives
a lost connection: the agent comes back with another backend. Then it has two rows while a session has one of its jobs
locked, since that job cannot be moved to the new pid yet. backend_start tells the backend from a later one with the
same pid. missing_since: when another agent first saw that all backends of this one are gone; its runs are closed some
seconds later.
{% endfilter %};
