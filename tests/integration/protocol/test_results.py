"""How run_due books results: once, for their own run only, and later what is locked now."""

from typing import Any

import psycopg
import pytest

from tests.helpers import (
    Db,
    add_yearly_job,
    check_sound,
    make_due,
    statuses,
    wait_for,
)
from tests.helpers.protocol import Agent, Result, done, due_job, status_of_run, step_log


@pytest.mark.parametrize(
    ("on_error", "status", "goes_on", "job"),
    [("fail", "f", False, "f"), ("success", "s", True, "s"), ("ignore", "i", True, "s")],
)
def test_on_error_decides_how_a_failure_counts(
    agent: Agent, db: Db, on_error: str, status: str, goes_on: bool, job: str
) -> None:
    jobid = due_job(db, "x", "")
    db.execute("SELECT pgagent_py.add_step(%s, 'a', sql => 'x', on_error => %s)", [jobid, on_error])
    db.execute("SELECT pgagent_py.add_step(%s, 'b', sql => 'x')", [jobid])
    (step,) = agent.run_due(1)
    after = agent.run_due(1, done(step, "f", -1, "ERROR:  no"))
    assert step_log(db, step.jslid) == (status, -1, "ERROR:  no")
    assert [s.jstname for s in after] == (["b"] if goes_on else [])
    agent.run_due(1, *map(done, after))
    assert status_of_run(db, step.jlgid) == job
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchone() == (None,)


def test_aborted_step_ends_the_run_whatever_on_error_says(agent: Agent, db: Db) -> None:
    jobid = due_job(db, "x", "")
    for name in "ab":
        db.execute("SELECT pgagent_py.add_step(%s, %s, sql => 'x', on_error => 'ignore')", [jobid, name])
    (step,) = agent.run_due(1)
    assert agent.run_due(1, done(step, "d", -1, "stopped")) == []
    assert step_log(db, step.jslid) == ("d", -1, "stopped")
    assert status_of_run(db, step.jlgid) == "d"


def test_results_repeated_after_a_lost_answer_change_nothing(agent: Agent, db: Db) -> None:
    due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    (second,) = agent.run_due(1, done(step, "s", 1, "first"))
    # The same result again: the run has gone on already. Another result for it: what was booked stays.
    assert agent.run_due(0, done(step, "s", 1, "first")) == []
    assert agent.run_due(0, done(step, "f", -1, "other words")) == []
    assert step_log(db, step.jslid) == ("s", 1, "first")
    assert status_of_run(db, step.jlgid) == "r"
    assert step_log(db, second.jslid) == ("r", None, None)
    agent.run_due(0, done(second))
    agent.run_due(0, done(second, "f"))
    assert status_of_run(db, step.jlgid) == "s"
    assert db.execute("SELECT count(*) FROM pgagent.pga_jobsteplog").fetchone() == (2,)


def test_result_of_another_agents_run_is_dropped(agent: Agent, database: str, db: Db) -> None:
    other = Agent(database)
    job = due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    for status in ("s", "f", "d", "r"):
        assert other.run_due(1, done(step, status, output="forged")) == []
    assert step_log(db, step.jslid) == ("r", None, None)
    assert status_of_run(db, step.jlgid) == "r"
    claim = db.execute("SELECT jobagentid FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone()
    assert claim == (agent.pid,)
    assert [s.jstname for s in agent.run_due(1, done(step))] == ["b"]
    other.close()


def test_result_books_the_steps_of_its_own_run_only(agent: Agent, db: Db) -> None:
    """A result that names one run and a step log entry of another belongs to neither."""
    due_job(db, "x", "ab", minutes=2)
    due_job(db, "y", "ab")
    x, y = agent.run_due(2)
    assert agent.run_due(2, Result(x.jlgid, y.jslid, "s", 0, "mixed up")) == []
    assert step_log(db, x.jslid) == step_log(db, y.jslid) == ("r", None, None)
    assert [s.jstname for s in agent.run_due(2, done(x), done(y))] == ["b", "b"]


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ((None, 1, "s"), "finished[2] has no jlgid"),
        ((1, None, "s"), "finished[2] has no jslid"),
        ((1, 1, None), "finished[2] has no jslstatus"),
        ((1, 1, "i"), 'finished[2] has jslstatus "i"'),
        ((1, 1, "done"), 'finished[2] has jslstatus "done"'),
        (None, "finished[2] has no jlgid"),
    ],
)
def test_what_is_no_result_is_refused_and_nothing_is_booked(
    agent: Agent, db: Db, result: tuple[Any, ...] | None, problem: str
) -> None:
    due_job(db, "x")
    (step,) = agent.run_due(1)
    wrong = "(%s::int, %s::int, %s::text, 0, NULL::interval, '')" if result else "NULL"
    query = f"""
        SELECT * FROM pgagent_py.run_due(1, ARRAY[
            (%s::int, %s::int, 's', 0, NULL::interval, ''), {wrong}]::pgagent_py.step_result[])"""
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        agent.db.execute(query.encode(), [step.jlgid, step.jslid, *(result or ())])
    assert caught.value.diag.message_primary == problem
    assert caught.value.diag.message_hint
    assert step_log(db, step.jslid) == ("r", None, None)
    assert status_of_run(db, step.jlgid) == "r"


def test_result_of_an_answer_that_was_rolled_back_can_be_sent_again(agent: Agent, db: Db) -> None:
    due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    with agent.db.transaction(force_rollback=True):
        assert len(agent.run_due(1, done(step))) == 1
    assert step_log(db, step.jslid)[0] == "r"
    assert [s.jstname for s in agent.run_due(1, done(step))] == ["b"]


def test_output_so_far_shows_while_the_step_runs(agent: Agent, db: Db) -> None:
    due_job(db, "x")
    (step,) = agent.run_due(1)
    agent.run_due(0, done(step, "r", output="half"))
    assert step_log(db, step.jslid)[::2] == ("r", "half")
    assert status_of_run(db, step.jlgid) == "r"
    assert agent.run_due(5) == []
    agent.run_due(0, done(step, "s", output="all"))
    assert step_log(db, step.jslid)[::2] == ("s", "all")


def test_run_ends_without_a_free_place(agent: Agent, db: Db) -> None:
    """A launcher that is told to stop has no place any more; what ends well then is a success."""
    due_job(db, "x")
    due_job(db, "y", "ab")
    steps = agent.run_due(2)
    assert agent.run_due(0, *map(done, steps)) == []
    agent.db.execute("SELECT pgagent_py.stop_agent()")
    runs = {step.jobname: status_of_run(db, step.jlgid) for step in steps}
    assert runs == {"x": "s", "y": "d"}


def test_result_of_a_locked_job_is_kept_and_booked_later(agent: Agent, db: Db) -> None:
    job = due_job(db, "x", "ab")
    (step,) = agent.run_due(1)
    with db.transaction():
        db.execute("SELECT FROM pgagent.pga_job WHERE jobid = %s FOR UPDATE", [job])
        assert agent.run_due(1, done(step, "s", 7, "kept")) == []
        assert step_log(db, step.jslid)[0] == "r"
    (second,) = wait_for(lambda: agent.run_due(1), what="the second step")
    assert step_log(db, step.jslid) == ("s", 7, "kept")
    assert second.jstname == "b"
    agent.run_due(1, done(second))
    assert status_of_run(db, step.jlgid) == "s"


def test_result_that_comes_twice_counts_once(database: str, db: Db) -> None:
    """The answer to the booking call was lost: the launcher sends the result again, and the run goes on once."""
    job = add_yearly_job(db, "a", {"sql": "SELECT 1"}, {"sql": "SELECT 2"}, {"sql": "SELECT 3"})
    make_due(db, job)
    book = (
        "SELECT jslid FROM pgagent_py.run_due(9, ARRAY[(%s, %s, 's', 0, NULL, '')::pgagent_py.step_result])"
    )
    with psycopg.connect(database, autocommit=True) as agent:
        (first,) = agent.execute("SELECT jlgid, jslid FROM pgagent_py.run_due(9)").fetchall()
        second = agent.execute(book, first).fetchall()
        assert len(second) == 1
        assert agent.execute(book, first).fetchall() == []
        assert statuses(db, job) == [("r", "sr")]
        (third,) = agent.execute(book, [first[0], second[0][0]]).fetchall()
        assert agent.execute(book, first).fetchall() == []
        assert agent.execute(book, [first[0], third[0]]).fetchall() == []
    assert statuses(db, job) == [("s", "sss")]
    check_sound(db)
