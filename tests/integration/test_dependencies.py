"""Jobs that wait for others, and the parameters of jobs and runs, without a launcher."""

import pytest
from psycopg.errors import InvalidParameterValue, UndefinedObject

from tests.helpers import Db, add_dependency, add_job, run_now, run_statuses


def test_chain_runs_through_in_the_session(db: Db) -> None:
    first, second, third = (
        add_job(db, "1", sql="SELECT 1"),
        add_job(db, "2", sql="SELECT 1"),
        add_job(db, "3", sql="SELECT 1"),
    )
    add_dependency(db, second, first)
    add_dependency(db, third, second)
    run_now(db, first)
    for _ in range(3):  # a call runs what is due when it begins
        db.execute("SELECT * FROM pgagent_py.run_due()")
    assert [run_statuses(db, job) for job in (first, second, third)] == ["s"] * 3


def test_condition_that_is_met_while_the_job_runs_starts_it_once_more(db: Db) -> None:
    """Both are due at first; the one that waits has more steps, so it is still running when the other ends."""
    first, second = add_job(db, "first", sql="SELECT 1"), add_job(db, "second", sql="SELECT 1")
    db.execute("SELECT pgagent_py.add_step(%s, 'two', sql => 'SELECT 2')", [second])
    add_dependency(db, second, first)
    run_now(db, first, second)
    for _ in range(3):
        db.execute("SELECT * FROM pgagent_py.run_due()")
    assert [run_statuses(db, job) for job in (first, second)] == ["s", "ss"]


def test_circle_is_refused(db: Db) -> None:
    one, two, three = (
        add_job(db, "1", sql="SELECT 1"),
        add_job(db, "2", sql="SELECT 1"),
        add_job(db, "3", sql="SELECT 1"),
    )
    add_dependency(db, two, one)
    add_dependency(db, three, two)
    for after in (three, one):
        with pytest.raises(InvalidParameterValue, match="after"):
            add_dependency(db, one, after)
    assert db.execute("SELECT count(*) FROM pgagent_py.job_dependency").fetchone() == (2,)


def test_bad_dependency_is_refused(db: Db) -> None:
    job, other = add_job(db, "job", sql="SELECT 1"), add_job(db, "other", sql="SELECT 1")
    with pytest.raises(InvalidParameterValue, match="when"):
        add_dependency(db, job, other, "never")
    with pytest.raises(InvalidParameterValue, match="after"):
        add_dependency(db, job, 999)
    with pytest.raises(UndefinedObject):
        db.execute("SELECT pgagent_py.drop_dependency(%s, %s)", [job, other])


@pytest.mark.parametrize("value", ["[1]", '"text"', "null"])
@pytest.mark.parametrize("function", ["alter_job", "run_now"])
def test_parameters_must_be_an_object(db: Db, function: str, value: str) -> None:
    call = f"SELECT pgagent_py.{function}(%s, parameters => %s::jsonb)"
    with pytest.raises(InvalidParameterValue, match="parameters"):
        db.execute(call.encode(), [add_job(db, "job", sql="SELECT 1"), value])


def test_session_finds_ids_and_parameters(db: Db) -> None:
    db.execute("CREATE TABLE seen (job int, step int, parameters jsonb)")
    code = """
        INSERT INTO seen SELECT current_setting('pgagent_py.job_id')::int, current_setting('pgagent_py.step_id')::int,
                                current_setting('pgagent_py.parameters')::jsonb"""
    job = add_job(db, "job", sql=code)
    db.execute("""SELECT pgagent_py.alter_job(%s, parameters => '{"a": 1}')""", [job])
    run_now(db, job)
    db.execute("SELECT * FROM pgagent_py.run_due()")
    (step,) = db.execute("SELECT jstid FROM pgagent.pga_jobstep").fetchone() or (0,)
    assert db.execute("SELECT * FROM seen").fetchall() == [(job, step, {"a": 1})]
