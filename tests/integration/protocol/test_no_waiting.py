"""Whatever a session has locked, or changed and not committed: agents start, take turns and stop without waiting for it."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.helpers import Db, add_dependency, alter_job, call, wait_for
from tests.helpers.protocol import (
    Agent,
    Step,
    come_back,
    done,
    due_job,
    in_progress,
    status_of_run,
    step_log,
)

KILL = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid = %s"
MISSED = "UPDATE pgagent_py.agent SET missing_since = now() - interval '1 min' WHERE agent = %s"


@pytest.fixture
def session(database: str) -> Iterator[Db]:
    """Return a session that keeps its transaction open."""
    with psycopg.connect(database) as session:
        yield session


def step_of_lost(agent: Agent, db: Db) -> Step:
    """Let the agent lose its connection while it has the step that is returned."""
    due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    agent.db.close()
    db.execute(KILL, [agent.pid])
    return step


def are_free(db: Db) -> bool:
    """Return whether no job is claimed, and only living agents are on the lists."""
    query = """
        SELECT (SELECT count(*) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL)
             + (SELECT count(*) FROM pgagent.pga_jobagent l FULL JOIN pgagent_py.agent a ON a.jagpid = l.jagpid
                 WHERE NOT EXISTS (SELECT FROM pgagent_py.living_agent v WHERE v.jagpid IN (l.jagpid, a.jagpid)))"""
    return db.execute(query.encode()).fetchone() == (0,)


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_an_agent_comes_back_while_its_runs_are_being_closed_and_executes_nothing_of_them(
    agent: Agent, database: str, db: Db, session: Db, end: str
) -> None:
    step = step_of_lost(agent, db)
    db.execute(MISSED, [agent.agent])
    session.execute("SELECT pgagent_py.run_due()")
    assert status_of_run(session, step.jlgid) == "d"
    back = come_back(agent, database)
    assert in_progress(back) == []
    due_job(db, "y")
    (other,) = back.run_due(1, done(step))
    assert other.jobname == "y"
    session.execute(end.encode())
    assert back.run_due(1, done(other)) == []
    wait_for(lambda: back.run_due(1) == [] and are_free(db), what="the end of what was left")
    assert status_of_run(db, step.jlgid) == "d"
    assert (step_log(db, step.jslid)[0], step_log(db, other.jslid)[0]) == ("d", "s")
    assert db.execute("SELECT count(*) FROM pgagent_py.run").fetchone() == (0,)
    back.close()


def test_what_an_agent_has_left_once_it_does_not_take_up_when_it_comes_back_again(
    agent: Agent, database: str, db: Db, session: Db
) -> None:
    """It has stopped the step, which may have done something, and the session that was closing the run has not."""
    step = step_of_lost(agent, db)
    db.execute(MISSED, [agent.agent])
    session.execute("SELECT pgagent_py.run_due()")
    back = come_back(agent, database)
    assert in_progress(back) == []
    session.rollback()
    for _ in range(2):
        back = come_back(back, database)
        assert in_progress(back) == []
    wait_for(lambda: back.run_due(1) == [] and are_free(db), what="the end of what was left")
    assert (status_of_run(db, step.jlgid), step_log(db, step.jslid)[0]) == ("d", "d")
    back.close()


def test_an_agent_comes_back_while_it_is_being_missed_and_goes_on(
    agent: Agent, database: str, db: Db, session: Db
) -> None:
    step = step_of_lost(agent, db)
    session.execute("SELECT pgagent_py.run_due()")
    missed = "SELECT missing_since IS NOT NULL FROM pgagent_py.agent WHERE agent = %s"
    assert session.execute(missed, [agent.agent]).fetchone() == (True,)
    back = come_back(agent, database)
    assert in_progress(back) == [step.jslid]
    session.commit()
    (second,) = back.run_due(1, done(step))
    assert (second.jlgid, second.jstname) == (step.jlgid, "b")
    assert back.run_due(1, done(second)) == []
    assert status_of_run(db, step.jlgid) == "s"
    wait_for(lambda: back.run_due(1) == [] and are_free(db), what="the former backend to be forgotten")
    back.close()


LOCKS = {
    "options": "SELECT FROM pgagent_py.job_option FOR UPDATE",
    "alter_job": "SELECT pgagent_py.alter_job(jobid, max_failures => 7) FROM pgagent.pga_job",
    "agents": "SELECT FROM pgagent_py.agent FOR UPDATE",
    "pgAgent's list": "SELECT FROM pgagent.pga_jobagent FOR UPDATE",
    "conditions": "SELECT FROM pgagent_py.dependency_met FOR UPDATE",
    "an order": "SELECT FROM pgagent_py.run_order FOR UPDATE",
    "results": "SELECT FROM pgagent_py.waiting_result FOR UPDATE",
    "problems": "SELECT FROM pgagent_py.problem FOR UPDATE",
    "runs' log": "SELECT FROM pgagent.pga_joblog FOR UPDATE",
    "steps' log": "SELECT FROM pgagent.pga_jobsteplog FOR UPDATE",
    "steps": "SELECT FROM pgagent.pga_jobstep FOR UPDATE",
    "jobs": "SELECT FROM pgagent.pga_job FOR UPDATE",
    "schedules": "SELECT FROM pgagent.pga_schedule FOR UPDATE",
}


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS.keys())
def test_agents_go_on_whatever_is_locked(agent: Agent, database: str, db: Db, session: Db, lock: str) -> None:
    """Two jobs run; with one's end, a job that waits for both may start, for which there is an order from before."""
    first, second, third = due_job(db, "x"), due_job(db, "y"), due_job(db, "z", "a", -60)
    alter_job(db, first, max_failures=2)
    add_dependency(db, third, first, "finish")
    add_dependency(db, third, second, "finish")
    x, y = agent.run_due(2)
    agent.run_due(0, done(x))
    call(db, "run_now", third, parameters="{}")
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = 'infinity' WHERE jobid = %s", [third])
    db.execute("INSERT INTO pgagent_py.problem (jobid, error) VALUES (%s, 'x'), (99, 'y')", [second])
    db.execute("UPDATE pgagent.pga_job SET jobhostagent = 'here.example' WHERE jobid = %s", [third])
    with session.transaction():
        session.execute(lock.encode())
        steps = agent.run_due(1, done(y))
        new = Agent(database, "there.example")
        assert new.run_due(1) == []
        new.db.execute("SELECT pgagent_py.stop_agent()")
        agent = come_back(agent, database)
        in_progress(agent)

    def all_have_run() -> bool:
        nonlocal steps
        steps = agent.run_due(1, *map(done, steps))
        rows = db.execute("SELECT jlgjobid, jlgstatus::text FROM pgagent.pga_joblog").fetchall()
        return sorted(rows) == [(first, "s"), (second, "s"), (third, "s")]

    wait_for(all_have_run, what="the job that waits for both")
    wait_for(lambda: agent.run_due(1) == [] and are_free(db), what="an end without a trace")
    agent.close()
    new.close()
