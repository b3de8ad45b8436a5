"""Steps that need something are handed out to agents that know it."""

from uuid import uuid4

import psycopg
import pytest

from tests.helpers import Db
from tests.helpers.protocol import Agent, done, due_job, status_of_run, step_log


@pytest.mark.usefixtures("needing")
@pytest.mark.parametrize("limit", [None, 5])
def test_a_job_that_needs_something_is_left_to_an_agent_that_knows_it(
    agent: Agent, knowing: Agent, db: Db, limit: int | None
) -> None:
    """Whatever chooses among the due jobs, and whichever step of the job needs it."""
    db.execute("SELECT pgagent_py.set_limit(class => 'Routine Maintenance', running => %s)", [limit])
    due_job(db, "first", "x", minutes=4)
    due_job(db, "later", "ax", minutes=3)
    due_job(db, "nothing", "a", minutes=2)
    assert agent.names(9) == [("nothing", "a")]
    assert agent.names(9) == []
    steps = knowing.run_due(9)
    assert [(step.jobname, step.jstname) for step in steps] == [("first", "x"), ("later", "a")]
    assert knowing.names(9, done(steps[1])) == [("later", "x")]


@pytest.mark.usefixtures("needing")
def test_a_session_leaves_a_job_that_needs_something(db: Db) -> None:
    due_job(db, "x", "x")
    assert db.execute("SELECT * FROM pgagent_py.run_due()").fetchall() == []


@pytest.mark.usefixtures("needing")
@pytest.mark.parametrize("limit", [None, 5])
def test_an_agent_does_not_wake_for_a_job_that_it_can_not_claim(
    agent: Agent, knowing: Agent, db: Db, limit: int | None
) -> None:
    db.execute("SELECT pgagent_py.set_limit(class => 'Routine Maintenance', running => %s)", [limit])
    due_job(db, "x", "x", minutes=1000)
    ((seconds,),) = knowing.db.execute("SELECT pgagent_py.next_wake()").fetchall()
    assert seconds <= -60_000
    ((seconds,),) = agent.db.execute("SELECT pgagent_py.next_wake()").fetchall()
    assert seconds > 0  # the other agent may go missing


@pytest.mark.usefixtures("needing")
def test_a_run_ends_when_its_next_step_has_come_to_need_what_its_agent_does_not_know(
    agent: Agent, db: Db
) -> None:
    job = due_job(db, "job", "abc")
    (step,) = agent.run_due(1)
    db.execute("UPDATE pgagent.pga_jobstep SET jstname = 'x' WHERE jstname = 'c'")
    (second,) = agent.run_due(1, done(step))
    assert agent.run_due(1, done(second, output="b's own")) == []
    assert status_of_run(db, step.jlgid) == "f"
    assert step_log(db, step.jslid) == ("s", 0, "")
    note = "The run was ended: its next step needs x, which its launcher does not know."
    assert step_log(db, second.jslid) == ("s", 0, f"b's own\n{note}")
    claimed = db.execute("SELECT jobagentid FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone()
    assert claimed == (None,)


@pytest.mark.usefixtures("needing")
def test_what_an_agent_knows_comes_back_with_it(knowing: Agent, database: str, db: Db) -> None:
    due_job(db, "job", "ax")
    (step,) = knowing.run_due(1)
    # Another agent gets the pid: the row of the first moves.
    knowing.db.execute("SELECT pgagent_py.start_agent(%s, 'here.example')", [uuid4()])
    moved = db.execute("SELECT jagknows FROM pgagent_py.agent WHERE agent = %s", [knowing.agent])
    assert moved.fetchall() == [(["w", "x"],)]
    with psycopg.connect(database, autocommit=True) as again:
        again.execute("SELECT pgagent_py.start_agent(%s, 'here.example', true)", [knowing.agent])
        handed_out = again.execute(
            "SELECT jstname FROM pgagent_py.run_due(1, ARRAY[ROW(%s, %s, 's', 0, NULL, '')::pgagent_py.step_result])",
            [step.jlgid, step.jslid],
        )
        assert handed_out.fetchall() == [("x",)]
