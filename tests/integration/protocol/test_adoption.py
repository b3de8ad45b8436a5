"""Runs that do not end with their agent: another one takes them over."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from tests.helpers import Db, wait_for
from tests.helpers.protocol import Agent, done, due_job, status_of_run, step_log

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


def test_a_step_on_an_engine_that_lasts_is_taken_over_by_the_next_agent_that_has_it(
    agent: Agent, database: str, db: Db
) -> None:
    """Not by one without the engine, even if the step has another by now. A daemon leaves it alone; a person may release it."""
    knows = ["engine slurm", "lasting slurm"]
    first, next_ = Agent(database, knows=knows), Agent(database, knows=knows)
    job = due_job(db, "job", "")
    db.execute("SELECT pgagent_py.add_step(%s, 'a', batch => 'true', engine => 'slurm --mem=1G')", [job])
    assert agent.run_due(1) == []
    (step,) = first.run_due(1)
    noted = first.db.execute("SELECT pgagent_py.note_engine_job(%s, '4711')", [step.jslid])
    assert noted.fetchall() == [(True,)]
    end_session(first, db)
    db.execute(CLEAR_ZOMBIES)
    assert step_log(db, step.jslid)[0] == "r"
    db.execute("SELECT pgagent_py.alter_step(%s, engine => 'local')", [step.jstid])
    assert next_.run_due(1) == agent.run_due(5) == []
    (again,) = wait_for(lambda: agent.run_due(5) or next_.run_due(1), what="the step")
    assert again == step
    db.execute("SELECT pgagent_py.alter_step(%s, engine => 'slurm --mem=1G')", [step.jstid])
    query = "SELECT s.engine, s.engine_options, s.engine_job FROM pgagent_py.steps_in_progress() s"
    assert next_.db.execute(query).fetchall() == [("slurm", {"mem": "1G"}, "4711")]
    assert next_.db.execute("SELECT * FROM pgagent_py.cancelled_runs()").fetchall() == []
    db.execute("UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL")
    cancelled = next_.db.execute("SELECT * FROM pgagent_py.cancelled_runs()").fetchall()
    assert cancelled == [(step.jlgid, "The job was released, or dropped, while it ran.")]
    next_.close()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("add_step(1, 'x', sql => 'SELECT 1', engine => 'slurm')", "engine is given for an sql step"),
        ("add_step(1, 'x', batch => 'true', engine => 'nowhere')", 'engine "nowhere" is not enabled'),
        ("add_step(1, 'x', batch => 'true', engine => 'slurm --wrap=x')", 'slurm has no option "wrap" here'),
        ("add_step(1, 'x', batch => 'true', engine => 'slurm mem=8G')", 'engine has the word "mem=8G"'),
        ("add_step(1, 'x', batch => 'true', engine_options => '{\"mem\": 1}')", "but no engine"),
        ("add_step(1, 'x', batch => 'true', engine => 'ssh', engine_options => '[]')", "is no JSON object"),
        (
            "add_step(1, 'x', batch => 'true', engine => 'ssh', engine_options => '{\"host\": []}')",
            "can't have",
        ),
        ("set_engine('slurm', '{mem,arr}')", "arr can never be allowed"),
        ("set_engine('slurm', '{export}')", "export can never be allowed"),
        ("set_engine('local', '{}')", "engine local has no options"),
        ("set_engine('Sl urm')", "can't be one"),
    ],
)
def test_what_an_engine_does_not_take_is_refused(db: Db, call: str, message: str) -> None:
    due_job(db, "job", "")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=re.escape(message)):
        db.execute(f"SELECT pgagent_py.{call}".encode())


def test_engines_and_options_that_are_taken_back_stop_steps(database: str, db: Db) -> None:
    agent = Agent(database, knows=["engine slurm"])
    db.execute("SELECT pgagent_py.set_engine('slurm', '{mem,licenses}')")
    job = due_job(db, "job", "")
    db.execute("SELECT pgagent_py.add_step(%s, 'a', batch => 'true', engine => 'slurm --licenses=x')", [job])
    db.execute("SELECT pgagent_py.set_engine('slurm', '{mem}')")
    assert agent.run_due(1) == []
    found = db.execute("SELECT jslstatus, jsloutput FROM pgagent.pga_jobsteplog").fetchall()
    assert found == [("f", 'Not executed: engine slurm has no option "licenses" here (any more).')]
    shown = db.execute("SELECT allowed_options, enabled FROM pgagent_py.engines WHERE engine = 'slurm'")
    assert shown.fetchall() == [(["mem"], True)]
    # What no launcher could read may have come with a restore
    for value in ("7" * 5000, 2000 * "[" + 2000 * "]"):
        db.execute("UPDATE pgagent_py.step_option SET jstengineoptions = %s", [f'{{"mem": {value}}}'])
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
        assert agent.run_due(1) == []
        output = db.execute("SELECT jsloutput FROM pgagent.pga_jobsteplog ORDER BY jslid DESC LIMIT 1")
        assert output.fetchall() == [('Not executed: engine slurm has no option "mem" here (any more).',)]
        ((document,),) = db.execute("SELECT pgagent_py.export_jobs()").fetchall()
        assert "engine_options" not in document["jobs"]["job"]["steps"][0]
    agent.close()
