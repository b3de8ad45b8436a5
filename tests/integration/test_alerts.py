"""Messages beyond ends of runs: recovered, late and overrun, each once."""

from typing import Any

import psycopg
import pytest

from tests.helpers import (
    Db,
    add_job,
    add_yearly_job,
    alter_job,
    call,
    rows,
    run_due,
    run_now,
    value,
    wait_for,
)
from tests.helpers.protocol import Agent, done

QUEUED = """
    SELECT coalesce(jsonb_agg(qmsdata ORDER BY qmsid), '[]') FROM pgagent_py.queued_message"""


def queued(db: Db) -> list[dict[str, Any]]:
    """Return what the queued messages hold, and empty the queue."""
    found: list[dict[str, Any]] = value(db, QUEUED)
    db.execute("DELETE FROM pgagent_py.queued_message")
    return found


def was_due(db: Db, job: int, ago: str) -> None:
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - %s::interval WHERE jobid = %s", [ago, job])


def test_recovered_is_the_first_success_after_failures(db: Db) -> None:
    job = add_yearly_job(db, "j", "SELECT 1 / current_setting('test.divisor')::integer")
    call(db, "set_retention", keep_runs=1)
    call(db, "add_message", job, "email", "a@b.example", "recovered")
    call(db, "add_message", None, "email", "all@b.example", "recovered")
    told = []
    for divisor in (1, 0, 0, 1, 1, 0, 1):
        db.execute(f"SET test.divisor = {divisor}".encode())
        run_now(db, job)
        run_due(db)
        call(db, "purge_history")
        told.append([(message["event"], message["run"]["status"]) for message in queued(db)])
    both = [("recovered", "success")] * 2
    assert told == [[], [], [], both, [], [], both]


def test_runs_without_steps_make_no_difference(db: Db) -> None:
    job = add_yearly_job(db, "j", "SELECT 1")
    call(db, "add_message", job, "email", "a@b.example", "recovered")
    for status in ("f", "i"):
        db.execute("INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) VALUES (%s, %s)", [job, status])
    run_now(db, job)
    run_due(db)
    assert [message["event"] for message in queued(db)] == ["recovered"]


@pytest.mark.parametrize("whose", ["one job's", "all"])
def test_a_late_job_is_told_of_once_before_it_starts(db: Db, whose: str) -> None:
    late, other, never = (add_yearly_job(db, name, "SELECT 1") for name in ("late", "other", "never"))
    for job in (late, other):
        alter_job(db, job, late_after="10 min")
    call(db, "add_message", late if whose == "one job's" else None, "email", "a@b.example", "late")
    db.execute("UPDATE pgagent_py.alive SET last_alive = now() - interval '3 h'")
    was_due(db, late, "20 min")
    was_due(db, other, "5 min")
    was_due(db, never, "1 day")
    call(db, "pause")  # so that it goes on waiting
    agent = Agent(db.info.dsn)
    assert agent.run_due(3) == []
    (message,) = queued(db)
    assert (message["event"], message["job"]["name"], message["run"]["status"]) == ("late", "late", "late")
    assert 1200 <= message["late_seconds"] < 10800 <= message["no_launcher_seconds"] < 14400
    agent.run_due(3)
    assert queued(db) == []
    call(db, "upkeep")
    was_due(db, late, "30 min")
    call(db, "resume")
    other_agent = Agent(db.info.dsn)
    steps = other_agent.run_due(3)
    (message,) = queued(db)
    assert message["no_launcher_seconds"] is None
    assert {step.jobname for step in steps} == {"late", "other", "never"}
    agent.close()
    other_agent.close()


def test_nobody_lives_from_the_end_of_the_last_launcher_on(db: Db) -> None:
    db.execute("UPDATE pgagent_py.alive SET last_alive = now() - interval '3 h'")
    agent = Agent(db.info.dsn)
    (before,) = rows(db, "SELECT clock_timestamp()")
    call(agent.db, "stop_agent")
    assert value(db, "SELECT last_alive >= %s FROM pgagent_py.alive", before[0])
    agent.close()


def test_an_overrun_is_told_of_once_a_run_and_wakes_the_launcher(db: Db) -> None:
    job = add_job(db, "long", "SELECT 1")
    alter_job(db, job, overrun_after="1 h")
    call(db, "add_message", job, "email", "a@b.example", "overrun")
    run_now(db, job)
    agent = Agent(db.info.dsn)
    (step,) = agent.run_due(1)
    assert queued(db) == []
    assert 3000 < value(agent.db, "SELECT pgagent_py.next_wake()") <= 3600
    alter_job(db, job, overrun_after="0.001 s")
    wait_for(lambda: agent.run_due(0) == [] and rows(db, "SELECT FROM pgagent_py.queued_message"))
    (message,) = queued(db)
    assert (message["event"], message["run"]["id"], message["run"]["status"]) == (
        "overrun",
        step.jlgid,
        "running",
    )
    assert message["run"]["seconds"] > 0
    agent.run_due(0)
    agent.run_due(0, done(step))
    assert queued(db) == []
    assert value(db, "SELECT jlgstatus FROM pgagent.pga_joblog") == "s"
    agent.close()


def test_nothing_waits_for_a_session_that_tells_the_same(db: Db) -> None:
    job = add_yearly_job(db, "late", "SELECT 1")
    alter_job(db, job, late_after="10 min")
    call(db, "add_message", job, "email", "a@b.example", "late")
    was_due(db, job, "20 min")
    call(db, "pause")
    agent = Agent(db.info.dsn)
    agent.db.execute("SET lock_timeout = '1 ms'")
    with psycopg.connect(db.info.dsn) as other:
        other.execute("LOCK TABLE pgagent_py.alerted IN SHARE UPDATE EXCLUSIVE MODE")
        agent.run_due(1)
        assert queued(db) == []
    wait_for(lambda: agent.run_due(1) == [] and rows(db, "SELECT FROM pgagent_py.queued_message"))
    assert len(queued(db)) == 1
    call(db, "drop_job", job)
    call(db, "upkeep")
    assert value(db, "SELECT count(*) FROM pgagent_py.alerted") == 0
    agent.close()
