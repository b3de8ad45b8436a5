"""What a run has executed is known by the table run, not by the log, which users may prune; and by whom it is executed."""

from collections.abc import Callable

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.helpers import Cluster, Db
from tests.helpers.protocol import (
    Agent,
    Result,
    Step,
    come_back,
    done,
    due_job,
    in_progress,
    status_of_run,
    step_log,
)


def is_free(db: Db, job: int) -> bool:
    row = db.execute("SELECT jobagentid IS NULL FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone()
    assert row
    return bool(row[0])


def run_all(agent: Agent, first: Step) -> list[str]:
    """Execute a run to its end from its first step on; return the names of the steps."""
    names, steps = [], [first]
    while steps:
        (step,) = steps
        names.append(step.jstname)
        steps = agent.run_due(1, done(step))
    return names


PURGES = {
    "all": "DELETE FROM pgagent.pga_jobsteplog",
    "finished": "DELETE FROM pgagent.pga_jobsteplog WHERE jslstatus = 's'",
    "by age": "DELETE FROM pgagent.pga_jobsteplog WHERE jslstart < clock_timestamp()",
    "truncate": "TRUNCATE pgagent.pga_jobsteplog",
}


@pytest.mark.parametrize("purge", PURGES.values(), ids=PURGES.keys())
def test_steps_are_executed_once_although_the_log_is_purged_meanwhile(
    agent: Agent, db: Db, purge: str
) -> None:
    job = due_job(db, "x", "abcd")
    (a,) = agent.run_due(1)
    (b,) = agent.run_due(1, done(a))
    db.execute(purge.encode())
    assert run_all(agent, b) == ["b", "c", "d"]
    assert status_of_run(db, a.jlgid) == "s"
    assert is_free(db, job)
    log = db.execute("SELECT s.jslid FROM pgagent.pga_jobsteplog s ORDER BY 1").fetchall()
    assert a.jslid not in {jslid for (jslid,) in log}, "an erased row stays erased"
    assert len(log) == (3 if "= 's'" in purge else 2)
    assert db.execute("SELECT count(*) FROM pgagent_py.run").fetchone() == (0,)


def test_retries_are_counted_although_the_log_is_purged(agent: Agent, db: Db) -> None:
    due_job(db, "x", "ab")
    db.execute(
        "SELECT pgagent_py.alter_step(jstid, retries => 2, retry_delay => '0') FROM pgagent.pga_jobstep"
    )
    (step,) = agent.run_due(1)
    tries = 1
    while steps := agent.run_due(1, done(step, "f", -1)):
        (step,) = steps
        tries += 1
        db.execute("DELETE FROM pgagent.pga_jobsteplog WHERE jslstatus <> 'r'")
    assert tries == 3
    assert status_of_run(db, step.jlgid) == "f"


def test_a_run_whose_log_row_is_gone_ends_after_its_step_with_one_warning(agent: Agent, db: Db) -> None:
    job = due_job(db, "x", "abc")
    warnings: list[str] = []
    agent.db.add_notice_handler(lambda notice: warnings.append(str(notice.message_primary)))
    (a,) = agent.run_due(1)
    db.execute("DELETE FROM pgagent.pga_joblog")
    assert agent.run_due(1, done(a)) == []
    assert [f"job {job}, run {a.jlgid}" in warning for warning in warnings] == [True]
    assert is_free(db, job)
    assert db.execute("SELECT count(*) FROM pgagent_py.run").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM pgagent.pga_jobsteplog").fetchone() == (0,)


def test_a_run_that_waits_and_whose_log_row_is_gone_ends(agent: Agent, db: Db) -> None:
    job = due_job(db, "x", "ab")
    (a,) = agent.run_due(1)
    assert agent.run_due(0, done(a)) == []  # no place for b
    db.execute("DELETE FROM pgagent.pga_joblog")
    db.execute("UPDATE pgagent_py.run SET not_before = now()")
    assert agent.run_due(1) == []
    assert is_free(db, job)


def locked(database: str, *queries: str) -> Db:
    """Return a session that has rows locked, in an open transaction."""
    session = psycopg.connect(database)
    for query in queries:
        session.execute(query.encode())
    return session


LOCKS = {
    "job": "SELECT FROM pgagent.pga_job FOR UPDATE",
    "run's log": "SELECT FROM pgagent.pga_joblog FOR UPDATE",
    "step's log": "SELECT FROM pgagent.pga_jobsteplog FOR UPDATE",
}


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS.keys())
def test_a_result_that_waits_for_a_lock_outlives_the_connection_and_its_step_is_not_handed_out_again(
    agent: Agent, db: Db, database: str, lock: str
) -> None:
    due_job(db, "x", "ab")
    (a,) = agent.run_due(1)
    editor = locked(database, lock)
    assert agent.run_due(1, done(a, output="the true result")) == []
    again = come_back(agent, database)
    assert in_progress(again) == []
    assert again.run_due(1, done(a, "f", output="another one, which comes too late")) == []
    editor.rollback()
    db.execute("UPDATE pgagent_py.waiting_result SET not_before = now()")
    (b,) = again.run_due(1)
    assert b.jstname == "b"
    assert step_log(db, a.jslid) == ("s", 0, "the true result")
    assert again.run_due(1, done(b)) == []
    assert status_of_run(db, a.jlgid) == "s"
    editor.close()
    again.close()


def test_a_stale_result_makes_no_place_for_the_true_one_to_be_lost(
    agent: Agent, db: Db, database: str
) -> None:
    """The answer to a call got lost: the launcher sends the result of a again while the job is locked, then that of b."""
    due_job(db, "x", "abc")
    (a,) = agent.run_due(1)
    (b,) = agent.run_due(1, done(a))
    editor = locked(database, LOCKS["job"])
    assert agent.run_due(1, done(a)) == []
    assert agent.run_due(1, done(b, output="of b")) == []
    editor.rollback()
    db.execute("UPDATE pgagent_py.waiting_result SET not_before = now()")
    (c,) = agent.run_due(1)
    assert c.jstname == "c"
    assert step_log(db, b.jslid) == ("s", 0, "of b")
    assert agent.run_due(1, done(c)) == []
    assert status_of_run(db, a.jlgid) == "s"
    editor.close()


def test_a_locked_run_of_a_gone_agent_keeps_no_agent_from_starting(
    agent: Agent, db: Db, database: str
) -> None:
    """Another run of that agent is closed; the locked one is when its lock is gone."""
    due_job(db, "locked")
    due_job(db, "other")
    steps = {step.jobname: step for step in agent.run_due(2)}
    editor = locked(
        database, f"SELECT FROM pgagent.pga_joblog WHERE jlgid = {steps['locked'].jlgid} FOR UPDATE"
    )
    agent.close()
    db.execute("DELETE FROM pgagent_py.agent")
    db.execute("DELETE FROM pgagent.pga_jobagent")  # and so both jobs are released
    other = Agent(database)
    assert status_of_run(db, steps["other"].jlgid) == "d"
    assert status_of_run(db, steps["locked"].jlgid) == "r"
    editor.rollback()
    third = Agent(database)
    assert status_of_run(db, steps["locked"].jlgid) == "d"
    for session in (editor, other, third):
        session.close()


def atomic_job(db: Db) -> int:
    job = due_job(db, "x", "ab")
    db.execute(
        "SELECT pgagent_py.alter_step(jstid, atomic => true) FROM pgagent.pga_jobstep WHERE jstname = 'a'"
    )
    return job


def book_itself(db: Db, step: Step) -> None:
    db.execute("SELECT pgagent_py.finish_step(%s, 1, 'done', '1 s')", [step.jslid])


def test_a_success_is_not_booked_for_an_atomic_step_whose_commit_was_lost(agent: Agent, db: Db) -> None:
    job = atomic_job(db)
    (a,) = agent.run_due(1)
    assert agent.run_due(1, done(a)) == []
    assert status_of_run(db, a.jlgid) == "f"
    status, result, output = step_log(db, a.jslid)
    assert (status, result) == ("f", -1)
    assert "transaction was lost" in output
    assert is_free(db, job)


def test_an_atomic_step_that_has_booked_itself_counts_whatever_its_launcher_says(
    agent: Agent, db: Db
) -> None:
    atomic_job(db)
    (a,) = agent.run_due(1)
    book_itself(db, a)
    assert in_progress(agent) == []
    (b,) = agent.run_due(1, done(a, "f", -1, "the connection was lost at COMMIT"))
    assert b.jstname == "b"
    assert step_log(db, a.jslid) == ("s", 1, "done")


def test_a_run_goes_on_after_an_atomic_step_whose_booking_was_lost(
    agent: Agent, db: Db, database: str
) -> None:
    atomic_job(db)
    (a,) = agent.run_due(1)
    book_itself(db, a)
    again = come_back(agent, database)
    (b,) = again.run_due(1)
    assert b.jstname == "b"
    assert again.run_due(1, done(a), done(b)) == []
    assert status_of_run(db, a.jlgid) == "s"
    again.close()


def test_a_run_after_an_atomic_step_whose_booking_was_lost_can_be_cancelled(agent: Agent, db: Db) -> None:
    job = atomic_job(db)
    (a,) = agent.run_due(1)
    book_itself(db, a)
    db.execute("SELECT pgagent_py.cancel_run(%s)", [a.jlgid])
    assert status_of_run(db, a.jlgid) == "d"
    assert is_free(db, job)


def test_an_atomic_step_can_not_book_itself_twice_nor_after_its_run_was_closed(agent: Agent, db: Db) -> None:
    atomic_job(db)
    (a,) = agent.run_due(1)
    book_itself(db, a)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        book_itself(db, a)


def test_a_step_that_was_deleted_while_it_was_handed_out_does_not_keep_its_run(
    agent: Agent, db: Db, database: str
) -> None:
    job = due_job(db, "x", "ab")
    (a,) = agent.run_due(1)
    db.execute("DELETE FROM pgagent.pga_jobstep WHERE jstname = 'a'")
    again = come_back(agent, database)
    assert in_progress(again) == [a.jslid]
    (b,) = again.run_due(1, done(a))
    assert again.run_due(1, done(b)) == []
    assert is_free(db, job)
    again.close()


def look_again(agent: Agent) -> None:
    """Let an agent look for the missing, as a new session would at once."""
    agent.db.execute(
        "DO $$ import sys; sys.modules['pgagent_py.runs.orphans']._looked_at = -1e9 $$ LANGUAGE plpython3u"
    )
    agent.db.execute("UPDATE pgagent_py.agent SET missing_since = missing_since - interval '1 min'")
    agent.run_due(0, Result(-1, -1))


def close_the_gone(database: str) -> None:
    watcher = Agent(database)
    for _ in range(2):
        look_again(watcher)
    watcher.close()


NOT_IT: dict[str, Callable[[Db, Agent], object]] = {
    "a later session with its pid": lambda db, agent: db.execute(
        "UPDATE pgagent_py.agent SET backend_start = backend_start - interval '1 s' WHERE jagpid = %s",
        [agent.pid],
    ),
    "a pooled backend without a sign of it for a minute": lambda db, agent: db.execute(
        "UPDATE pgagent_py.agent SET jagpooled = true, last_seen = now() - interval '61 s' WHERE jagpid = %s",
        [agent.pid],
    ),
}


@pytest.mark.parametrize("make", NOT_IT.values(), ids=NOT_IT.keys())
def test_a_backend_that_lives_is_not_always_its_agent(
    agent: Agent, db: Db, database: str, make: Callable[[Db, Agent], object]
) -> None:
    job = due_job(db, "x")
    (step,) = agent.run_due(1)
    close_the_gone(database)
    assert status_of_run(db, step.jlgid) == "r"
    make(db, agent)
    close_the_gone(database)
    assert status_of_run(db, step.jlgid) == "d"
    assert is_free(db, job)


def test_a_daemons_pid_that_lives_in_another_database_is_not_it(
    cluster: Cluster, db: Db, database: str
) -> None:
    """As after the restore of a dump on the same server."""
    with psycopg.connect(make_conninfo(database, dbname="postgres"), autocommit=True) as elsewhere:
        pid = elsewhere.info.backend_pid
        job = due_job(db, "x")
        db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (%s, 'there')", [pid])
        db.execute("UPDATE pgagent.pga_job SET jobagentid = %s, joblastrun = now()", [pid])
        close_the_gone(database)
        assert is_free(db, job)
    assert cluster.running()


def test_a_pooled_agent_shows_itself_while_it_asks_when_to_wake(database: str, db: Db) -> None:
    with psycopg.connect(database, autocommit=True) as launcher:
        start = "SELECT pgagent_py.start_agent(gen_random_uuid(), 'here', pooled => true)"
        launcher.execute(start)
        seen = "SELECT last_seen > now() - interval '20 s' FROM pgagent_py.agent"
        for call in ("SELECT pgagent_py.next_wake()", "SELECT * FROM pgagent_py.run_due(1)"):
            db.execute("UPDATE pgagent_py.agent SET last_seen = now() - interval '30 s'")
            launcher.execute(call.encode())
            assert db.execute(seen).fetchone() == (True,)
