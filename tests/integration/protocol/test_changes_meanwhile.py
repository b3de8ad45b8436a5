"""Jobs and steps that are changed, locked or gone while they run."""

import pytest

from tests.helpers import Db, alter_steps, wait_for
from tests.helpers.protocol import Agent, done, due_job, status_of_run


def test_step_that_is_being_deleted_waits_for_the_end_of_that(agent: Agent, db: Db) -> None:
    due_job(db, "x", "abc")
    (step,) = agent.run_due(1)
    with db.transaction():
        db.execute("DELETE FROM pgagent.pga_jobstep WHERE jstname = 'b'")
        assert agent.run_due(1, done(step)) == []
    (third,) = wait_for(lambda: agent.run_due(1), what="the third step")
    assert third.jstname == "c"


def test_first_step_that_is_being_deleted_leaves_the_job_for_later(agent: Agent, db: Db) -> None:
    due_job(db, "x", "ab")
    with db.transaction():
        db.execute("DELETE FROM pgagent.pga_jobstep WHERE jstname = 'a'")
        assert agent.run_due(1) == []
    assert agent.names(1) == [("x", "b")]


def test_a_job_dropped_while_it_runs_leaves_nothing(agent: Agent, db: Db) -> None:
    job = due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    db.execute("SELECT pgagent_py.drop_job(%s)", [job])
    assert agent.run_due(1, done(step)) == []
    assert status_of_run(db, step.jlgid) is None
    due_job(db, "y")
    assert agent.names(1) == [("y", "a")]


def test_a_step_dropped_while_it_runs_lets_the_job_go_on(agent: Agent, db: Db) -> None:
    """pgAgent's tables drop its log entry with it; the job goes on."""
    due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    db.execute("DELETE FROM pgagent.pga_jobstep WHERE jstname = 'a'")
    (second,) = agent.run_due(1, done(step))
    assert second.jstname == "b"
    agent.run_due(1, done(second))
    assert status_of_run(db, step.jlgid) == "s"
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)


def test_failed_step_dropped_while_it_ran_fails_the_job(agent: Agent, db: Db) -> None:
    due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    db.execute("DELETE FROM pgagent.pga_jobstep WHERE jstname = 'a'")
    assert agent.run_due(1, done(step, "f", -1)) == []
    assert status_of_run(db, step.jlgid) == "f"


def test_steps_added_renamed_and_disabled_while_the_job_runs_count_for_the_rest_of_it(
    agent: Agent, db: Db
) -> None:
    job = due_job(db, "x", "bcd")
    (step,) = agent.run_due(1)
    db.execute(
        "UPDATE pgagent.pga_jobstep SET jstname = 'z' WHERE jstname = 'b'"
    )  # the one that runs: not again
    db.execute("UPDATE pgagent.pga_jobstep SET jstenabled = false WHERE jstname = 'c'")
    db.execute("SELECT pgagent_py.add_step(%s, 'a', sql => 'SELECT 1')", [job])
    order = []
    steps = agent.run_due(1, done(step))
    while steps:
        order.append(steps[0].jstname)
        steps = agent.run_due(1, done(steps[0]))
    assert order == ["a", "d"]
    assert status_of_run(db, step.jlgid) == "s"


def test_job_disabled_while_it_runs_ends_its_run_and_has_no_next_one(agent: Agent, db: Db) -> None:
    job = due_job(db, "x", "ab")
    db.execute("SELECT pgagent_py.add_schedule(%s, 'x', cron => '0 3 * * *')", [job])
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    (step,) = agent.run_due(1)
    db.execute("UPDATE pgagent.pga_job SET jobenabled = false WHERE jobid = %s", [job])
    (second,) = agent.run_due(1, done(step))
    agent.run_due(1, done(second))
    assert status_of_run(db, step.jlgid) == "s"
    assert db.execute("SELECT jobnextrun, jobagentid FROM pgagent.pga_job").fetchone() == (None, None)


RETRIES_END = {
    "disabled": "UPDATE pgagent.pga_jobstep SET jstenabled = false WHERE jstname = 'a'",
    "deleted": "DELETE FROM pgagent.pga_jobstep WHERE jstname = 'a'",
}


@pytest.mark.parametrize("change", RETRIES_END.values(), ids=RETRIES_END.keys())
@pytest.mark.parametrize("steps", ["a", "ab"])
def test_a_step_that_is_taken_away_between_two_tries_has_failed(
    agent: Agent, db: Db, change: str, steps: str
) -> None:
    due_job(db, "x", steps)
    alter_steps(db, retries=3, retry_delay="0.1 s")
    (step,) = agent.run_due(1)
    assert agent.run_due(0, done(step, "f", -1)) == []
    db.execute(change.encode())
    wait_for(
        lambda: agent.run_due(1) or status_of_run(db, step.jlgid) != "r", what="the next step or the end"
    )
    assert status_of_run(db, step.jlgid) == "f"
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)


def test_a_step_that_is_disabled_between_two_tries_counts_as_on_error_says(agent: Agent, db: Db) -> None:
    due_job(db, "x", "ab")
    alter_steps(db, retries=3, retry_delay="0.1 s", on_error="ignore")
    (step,) = agent.run_due(1)
    assert agent.run_due(0, done(step, "f", -1)) == []
    db.execute(RETRIES_END["disabled"].encode())
    (second,) = wait_for(lambda: agent.run_due(1), what="the next step")
    assert second.jstname == "b"
    agent.run_due(1, done(second))
    assert status_of_run(db, step.jlgid) == "s"


def test_the_next_try_comes_next_whatever_the_step_is_called_by_then(agent: Agent, db: Db) -> None:
    due_job(db, "x", "ab")
    alter_steps(db, retries=1, retry_delay="0.1 s")
    (step,) = agent.run_due(1)
    assert agent.run_due(0, done(step, "f", -1)) == []
    db.execute("UPDATE pgagent.pga_jobstep SET jstname = 'z' WHERE jstname = 'a'")
    (again,) = wait_for(lambda: agent.run_due(1), what="the next try")
    assert (again.jstid, again.jstname) == (step.jstid, "z")
    assert agent.run_due(1, done(again, "f", -1)) == []
    assert status_of_run(db, step.jlgid) == "f"
