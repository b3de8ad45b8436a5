CREATE TABLE pgagent_py.draining (
    agent uuid PRIMARY KEY
);

COMMENT ON TABLE pgagent_py.draining IS
'Launchers that take nothing more, by drain(). A table of its own: a launcher''s turn changes its row of agent, and must not wait '
'for the session that drains it.';
