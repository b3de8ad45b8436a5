"""Claims ahead of a free worker: they come only where they can be undone, and are undone without a trace."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.helpers import Db, alter_job, call, rows
from tests.helpers.protocol import Agent, Step, come_back, done, due_job, in_progress

# All that a claim changes, but for the numbers of log rows, which are not given twice.
STATE = """
SELECT (SELECT array_agg(to_jsonb(j) ORDER BY j.jobid) FROM pgagent.pga_job j),
       (SELECT count(*) FROM pgagent.pga_joblog), (SELECT count(*) FROM pgagent.pga_jobsteplog),
       (SELECT count(*) FROM pgagent_py.run), (SELECT count(*) FROM pgagent_py.run_origin),
       (SELECT array_agg(to_jsonb(d) ORDER BY d.jobid) FROM pgagent_py.job_due d)"""


@pytest.fixture
def other(database: str) -> Iterator[Agent]:
    """Return an agent on the same host."""
    agent = Agent(database)
    yield agent
    agent.close()


def due_jobs(db: Db, count: int) -> list[int]:
    """Add jobs, the first of which has been due longest."""
    return [due_job(db, f"job {number}", "ab", minutes=count - number + 1) for number in range(count)]


def claim_ahead(agent: Agent, db: Db) -> Step:
    """Let a job be due; return its first step, claimed ahead."""
    due_job(db, "job", "ab")
    (step,) = agent.run_due(0, ahead=1)
    assert step.ahead
    return step


def test_beyond_the_capacity_come_steps_that_say_so(agent: Agent, db: Db) -> None:
    jobs = due_jobs(db, 6)
    steps = agent.run_due(2, ahead=3)
    assert [(step.jobid, step.ahead) for step in steps] == [
        (job, number >= 2) for number, job in enumerate(jobs[:5])
    ]
    second = agent.run_due(0, *map(done, steps), ahead=2)  # the runs go on: of the others none is claimed
    assert [(step.jstname, step.ahead) for step in second] == [("b", True)] * 2
    assert agent.run_due(1, *map(done, second))[0].ahead is False


def test_what_is_handed_back_is_as_if_it_had_never_been_claimed(agent: Agent, other: Agent, db: Db) -> None:
    due_jobs(db, 4)
    db.execute("UPDATE pgagent.pga_job SET joblastrun = now() - interval '1 hour' WHERE jobid % 2 = 0")
    before = rows(db, STATE)
    steps = agent.run_due(0, ahead=4)
    assert rows(db, STATE) != before
    other.db.execute("LISTEN pgagent_py")
    assert agent.hand_back(*steps) == {step.jlgid for step in steps}
    assert rows(db, STATE) == before
    assert [notify.payload for notify in other.db.notifies(timeout=60, stop_after=1)] == [""]
    assert in_progress(agent) == []
    again = other.run_due(4)
    assert [(step.jobid, step.ahead) for step in again] == [(step.jobid, False) for step in steps]
    assert {step.jlgid for step in again}.isdisjoint(step.jlgid for step in steps)
    assert agent.run_due(1, done(steps[0])) == []  # a result of what it has not any more changes nothing
    assert other.run_due(0, *map(done, again)) == []


def test_a_run_goes_on_that_was_not_handed_back(agent: Agent, db: Db) -> None:
    steps = [claim_ahead(agent, db) for _ in range(2)]
    assert agent.hand_back(steps[1]) == {steps[1].jlgid}
    (second,) = agent.run_due(1, done(steps[0]))
    assert (second.jlgid, second.jstname) == (steps[0].jlgid, "b")


def past_its_first_step(agent: Agent, _db: Db, step: Step) -> Step:
    return agent.run_due(1, done(step))[0]


def cancelled(_agent: Agent, db: Db, step: Step) -> Step:
    db.execute("SELECT pgagent_py.cancel_run(%s)", [step.jlgid])
    return step


def released(_agent: Agent, db: Db, step: Step) -> Step:
    db.execute("UPDATE pgagent.pga_job SET jobagentid = NULL")
    return step


def without_its_log(_agent: Agent, db: Db, step: Step) -> Step:
    db.execute("DELETE FROM pgagent.pga_joblog")
    return step


def without_its_steps_log(_agent: Agent, db: Db, step: Step) -> Step:
    db.execute("DELETE FROM pgagent.pga_jobsteplog")
    return step


def tried_again(agent: Agent, db: Db, step: Step) -> Step:
    db.execute("SELECT pgagent_py.alter_step(%s, retries => 1, retry_delay => '0 s')", [step.jstid])
    return agent.run_due(1, done(step, "f"))[0]


CHANGES = [past_its_first_step, cancelled, released, without_its_log, without_its_steps_log, tried_again]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_anybody_has_touched_since_is_not_handed_back(
    agent: Agent, db: Db, change: Callable[[Agent, Db, Step], Step]
) -> None:
    step = change(agent, db, claim_ahead(agent, db))
    before = rows(db, STATE)
    assert agent.hand_back(step) == set()
    assert rows(db, STATE) == before


@pytest.mark.parametrize("table", ["pga_job", "pga_joblog", "pga_jobsteplog"])
def test_what_a_session_has_locked_is_not_waited_for(agent: Agent, db: Db, database: str, table: str) -> None:
    step = claim_ahead(agent, db)
    with psycopg.connect(database) as editor:
        editor.execute(f"SELECT FROM pgagent.{table} FOR UPDATE".encode())
        assert agent.hand_back(step) == set()
    assert agent.hand_back(step) == {step.jlgid}


KEEPING = "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {} END$$"


@pytest.mark.parametrize("event", ["DELETE ON pgagent.pga_joblog", "UPDATE ON pgagent.pga_job"])
@pytest.mark.parametrize("body", ["RETURN NULL;", "RAISE EXCEPTION 'no';"])
def test_what_a_trigger_keeps_is_not_handed_back(agent: Agent, db: Db, event: str, body: str) -> None:
    step = claim_ahead(agent, db)
    db.execute(KEEPING.format(body).encode())
    db.execute(f"CREATE TRIGGER keep BEFORE {event} FOR EACH ROW EXECUTE FUNCTION keep()".encode())
    before = rows(db, STATE)
    assert agent.hand_back(step) == set()
    assert rows(db, STATE) == before
    assert in_progress(agent) == [step.jslid]
    db.execute("DROP FUNCTION keep() CASCADE")
    assert agent.hand_back(step) == {step.jlgid}


def test_only_its_agent_hands_back_a_run(agent: Agent, other: Agent, db: Db, database: str) -> None:
    step = claim_ahead(agent, db)
    assert other.hand_back(step) == set()
    back = come_back(agent, database)
    assert back.hand_back(step) == {step.jlgid}
    back.close()


def owner(db: Db, job: int) -> None:
    alter_job(db, job, owner=db.info.user)


def priority(db: Db, job: int) -> None:
    alter_job(db, job, priority=1)


def pause(db: Db, _job: int) -> None:
    db.execute("SELECT pgagent_py.pause('Data Import')")


def limit(db: Db, _job: int) -> None:
    db.execute("SELECT pgagent_py.set_limit('Data Import', running => 1)")


def notifications(db: Db, _job: int) -> None:
    db.execute("SELECT pgagent_py.set_notify_runs(true)")


def catching_up(db: Db, job: int) -> None:
    alter_job(db, job, catch_up="all")


def windows(db: Db, job: int) -> None:
    call(db, "add_window", "window", "0 0 * * *", duration="1 day")
    alter_job(db, job, window="window")


def backfilling(db: Db, job: int) -> None:
    db.execute(
        "SELECT pgagent_py.add_schedule(%s, 'schedule', cron => '0 0 * * *', start => '2020-01-01')", [job]
    )
    db.execute("SELECT pgagent_py.backfill(%s, now() - interval '3 days', now())", [job])


CHOICES = [owner, priority, pause, limit, notifications, catching_up, windows, backfilling]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.__name__)
def test_nothing_is_claimed_ahead_while_there_is_something_to_choose_by_or_somebody_is_told(
    agent: Agent, db: Db, choice: Callable[[Db, int], Any]
) -> None:
    due_jobs(db, 3)
    choice(db, due_job(db, "other"))
    assert not any(step.ahead for step in agent.run_due(0, ahead=3))


def test_a_draining_agent_claims_nothing_ahead(agent: Agent, db: Db) -> None:
    step = claim_ahead(agent, db)
    db.execute("SELECT pgagent_py.drain(%s)", [agent.agent])
    due_jobs(db, 3)
    assert agent.run_due(0, ahead=3) == []
    assert agent.hand_back(step) == {step.jlgid}
