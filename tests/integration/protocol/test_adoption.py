"""Runs that do not end with their agent: another one takes them over."""

from collections.abc import Iterator

import pytest

from tests.helpers import Db, wait_for
from tests.helpers.protocol import Agent, done, due_job, status_of_run

# What pgAgent's daemon does when it starts.
CLEAR_ZOMBIES = """
    CREATE TEMP TABLE pga_tmp_zombies (jagpid int4);
    INSERT INTO pga_tmp_zombies (jagpid)
    SELECT jagpid FROM pgagent.pga_jobagent LEFT JOIN pg_stat_activity ON jagpid = pid WHERE pid IS NULL;
    UPDATE pgagent.pga_joblog SET jlgstatus = 'd' WHERE jlgid IN (
           SELECT jlgid FROM pga_tmp_zombies z, pgagent.pga_job j, pgagent.pga_joblog l
            WHERE z.jagpid = j.jobagentid AND j.jobid = l.jlgjobid AND l.jlgstatus = 'r');
    UPDATE pgagent.pga_jobsteplog SET jslstatus = 'd' WHERE jslid IN (
           SELECT jslid FROM pga_tmp_zombies z, pgagent.pga_job j, pgagent.pga_joblog l, pgagent.pga_jobsteplog s
            WHERE z.jagpid = j.jobagentid AND j.jobid = l.jlgjobid AND l.jlgid = s.jsljlgid AND s.jslstatus = 'r');
    UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL WHERE jobagentid IN (SELECT jagpid FROM pga_tmp_zombies);
    DELETE FROM pgagent.pga_jobagent WHERE jagpid IN (SELECT jagpid FROM pga_tmp_zombies);
    DROP TABLE pga_tmp_zombies"""


def end_session(agent: Agent, db: Db) -> None:
    """End the agent's session, and wait until the server has noticed."""
    agent.close()
    while db.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [agent.pid]).fetchall():
        pass


@pytest.fixture
def other(database: str) -> Iterator[Agent]:
    """Return an agent on the same host."""
    agent = Agent(database)
    yield agent
    agent.close()


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("alive", [True, False])
def test_the_next_step_of_a_drained_agents_run_is_anothers(
    agent: Agent, other: Agent, db: Db, enabled: bool, alive: bool
) -> None:
    """Also when a daemon starts meanwhile: that closes the runs of agents that are gone, but for these."""
    job = due_job(db, "job", "ab")
    (step,) = agent.run_due(1)
    db.execute("SELECT pgagent_py.drain(%s)", [agent.agent])
    assert other.run_due(5) == []
    assert agent.run_due(5, done(step)) == []
    db.execute("UPDATE pgagent.pga_job SET jobenabled = %s", [enabled])
    if not alive:
        end_session(agent, db)
        db.execute(CLEAR_ZOMBIES)
        assert status_of_run(db, step.jlgid) == "r"
    (second,) = wait_for(lambda: other.run_due(5), what="the next step")
    assert (second.jobid, second.jstname, second.jlgid) == (job, "b", step.jlgid)
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchall() == [(other.pid,)]
    assert other.run_due(5, done(second)) == []
    assert status_of_run(db, step.jlgid) == "s"


def test_a_drained_run_waits_for_an_agent_that_may_have_it(agent: Agent, database: str, db: Db) -> None:
    job = due_job(db, "job", "ab", jobhostagent="here.example")
    elsewhere = Agent(database, station="elsewhere")
    (step,) = agent.run_due(1)
    db.execute("SELECT pgagent_py.drain(%s)", [agent.agent])
    agent.run_due(1, done(step))
    assert elsewhere.run_due(5) == []
    waits = db.execute("SELECT no_launcher FROM pgagent_py.job_status WHERE jobid = %s", [job])
    assert waits.fetchall() == [("no living launcher on host here.example",)]
    db.execute("SELECT pgagent_py.undrain(%s)", [agent.agent])
    assert [step.jstname for step in wait_for(lambda: agent.run_due(1), what="the next step")] == ["b"]
    elsewhere.close()
