"""What has set a run off, and which time it is for."""

from datetime import datetime
from typing import Any

import psycopg
import pytest

from tests.helpers import Db, rows, value
from tests.helpers.protocol import Agent, done, due_job
from tests.helpers.roles import login

ORIGIN = """
    SELECT h.trigger, h.triggered_by, h.agent, h.due = %s, h.lateness = h.jlgstart - h.due, h.try
      FROM pgagent_py.run_history h WHERE h.jobid = %s ORDER BY h.jlgid DESC LIMIT 1"""


def origin(db: Db, job: int, due: Any = None) -> tuple[Any, ...]:
    """Return what set off the newest run of a job, whether it is for *due*, whether its lateness counts from there."""
    (row,) = rows(db, ORIGIN, due, job)
    return row


def missed(db: Db, job: int, ago: str) -> Any:
    """Let a time of the job's schedule be past."""
    query = (
        "UPDATE pgagent.pga_job SET jobnextrun = now() - %s::interval WHERE jobid = %s RETURNING jobnextrun"
    )
    return value(db, query, ago, job)


def order(db: Db, job: int) -> Any:
    """Let a job run as pgAdmin does."""
    return value(
        db, "UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid = %s RETURNING jobnextrun", job
    )


def run(agent: Agent, status: str = "s") -> None:
    """Run what is due, one step after the other."""
    steps = agent.run_due(9)
    while steps:
        steps = agent.run_due(9, *(done(step, status) for step in steps))


def test_schedules_and_those_who_order_are_told_apart(agent: Agent, database: str, db: Db) -> None:
    job, me = due_job(db, "x"), str(agent.agent)
    run(agent)
    due = missed(db, job, "2 h")
    run(agent)
    assert origin(db, job, due) == ("start", None, me, True, True, 1)  # before the agent was there
    db.execute("UPDATE pgagent_py.agent SET jagserves = now() - interval '1 day'")
    due = missed(db, job, "2 h")
    run(agent)
    assert origin(db, job, due) == ("schedule", None, me, True, True, 1)
    due = order(db, job)
    run(agent)
    assert origin(db, job, due) == ("run_now", "postgres", me, True, True, 1)
    db.execute("SET pgagent_py.in_turn = 'on'")  # as only turns should
    due = order(db, job)
    db.execute("RESET pgagent_py.in_turn")
    run(agent)
    assert origin(db, job, due) == ("run_now", "postgres", me, True, True, 1)
    db.execute("CREATE ROLE origins_editor LOGIN SUPERUSER")
    try:
        with login(database, "origins_editor") as editor:
            due = order(editor, job)
            run(agent)
            assert origin(db, job, due)[:4] == ("run_now", "origins_editor", me, True)
            editor.execute("SELECT pgagent_py.run_now(%s)", [job])
            run(agent)
            assert origin(db, job)[:3] == ("run_now", "origins_editor", me)
            # a definer's function does not stand in front of who has asked
            db.execute("CREATE ROLE origins_caller LOGIN; CREATE FUNCTION public.order_it(id integer) RETURNS void LANGUAGE sql"
                       " SECURITY DEFINER AS 'SELECT pgagent_py.run_now(id)'")  # fmt: skip
            with login(database, "origins_caller") as caller:
                caller.execute("SELECT public.order_it(%s)", [job])
            run(agent)
            assert origin(db, job)[:3] == ("run_now", "origins_caller", me)
            # an order that its schedule has overtaken
            order(editor, job)
            db.execute("UPDATE pgagent.pga_job SET jobnextrun = NULL WHERE jobid = %s", [job])
            due = missed(db, job, "1 h")
            run(agent)
            assert origin(db, job, due)[:4] == ("schedule", None, me, True)
    finally:
        db.execute("DROP ROLE IF EXISTS origins_editor, origins_caller")


def test_due_can_be_given_and_is_that_of_the_last_run_when_steps_are_made_up_for(
    agent: Agent, db: Db
) -> None:
    job = due_job(db, "x", "ab")
    due = missed(db, job, "3 h")
    (step,) = agent.run_due(1)
    agent.run_due(0, done(step, "f"))
    last = value(db, "SELECT max(jstid) FROM pgagent.pga_jobstep")
    db.execute("SELECT pgagent_py.run_now(%s, from_step => %s)", [job, last])
    run(agent)
    assert origin(db, job, due)[:4] == ("run_now", "postgres", str(agent.agent), True)
    db.execute("SELECT pgagent_py.run_now(%s, due => '2020-02-29 12:00Z')", [job])
    run(agent)
    assert origin(db, job, "2020-02-29 12:00Z")[:4] == ("run_now", "postgres", str(agent.agent), True)
    for wrong in ("infinity", "-infinity", "0001-01-01Z BC", "10000-01-01Z"):
        with pytest.raises(psycopg.Error, match="due can't be") as refused:
            db.execute("SELECT pgagent_py.run_now(%s, due => %s)", [job, wrong])
        assert refused.value.sqlstate == "22023"


def test_dependents_inherit_the_latest_time(agent: Agent, db: Db) -> None:
    first, second, last = (due_job(db, name) for name in ("first", "second", "last"))
    run(agent)
    for before in (first, second):
        db.execute("SELECT pgagent_py.add_dependency(%s, after => %s)", [last, before])
    missed(db, first, "5 h")
    due = missed(db, second, "4 h")
    run(agent)
    run(agent)
    assert origin(db, last, due)[:4] == ("dependency", "first, second", str(agent.agent), True)


def test_tries_are_numbered_and_keep_their_time(agent: Agent, db: Db) -> None:
    job = due_job(db, "x", "ab")
    db.execute(
        "SELECT pgagent_py.alter_step(jstid, retries => 2, retry_delay => '0') FROM pgagent.pga_jobstep"
    )
    due = missed(db, job, "3 h")
    seen = []
    steps = agent.run_due(9)
    for status in "ffsffs":
        query = "SELECT s.due::timestamptz FROM pgagent_py.steps_in_progress() s"
        seen.append(value(agent.db, query))
        steps = agent.run_due(9, *(done(step, status) for step in steps)) or agent.run_due(9)
    assert seen == [due] * 6
    query = "SELECT h.jstname, h.try FROM pgagent_py.run_history h WHERE h.jobid = %s ORDER BY h.jslid"
    assert rows(db, query, job) == [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("b", 3)]


def times(agent: Agent) -> list[tuple[Any, Any]]:
    """Return due and previous_due of the steps in progress."""
    return rows(
        agent.db,
        "SELECT s.due::timestamptz, s.previous_due::timestamptz FROM pgagent_py.steps_in_progress() s",
    )


def test_previous_due_is_that_of_the_last_success(agent: Agent, db: Db) -> None:
    job = due_job(db, "x")
    due, previous = missed(db, job, "9 h"), None

    def check(end: str) -> None:
        (step,) = agent.run_due(1)
        assert times(agent) == [(due, previous)]
        agent.run_due(0, done(step, end))

    check("s")
    previous, due = due, missed(db, job, "8 h")
    check("f")  # a failure does not count
    due = missed(db, job, "7 h")
    check("s")
    due, before = order(db, job), due
    previous = before
    check("s")  # nor does an order
    due = missed(db, job, "6 h")
    check("s")
    previous = due
    db.execute("DELETE FROM pgagent.pga_joblog")  # it outlives the history
    assert value(db, "SELECT count(*) FROM pgagent_py.run_origin") == 0
    due = missed(db, job, "5 h")
    check("s")
    # a time before the latest ones: the history knows
    previous, due = None, before
    db.execute("SELECT pgagent_py.run_now(%s, due => %s)", [job, due])
    check("s")
    db.execute("TRUNCATE pgagent.pga_joblog CASCADE")
    assert value(db, "SELECT count(*) FROM pgagent_py.run_origin") == 0


def test_steps_of_a_session_see_both_times(db: Db) -> None:
    code = """
        INSERT INTO seen SELECT current_setting('pgagent_py.due'), current_setting('pgagent_py.previous_due')"""
    job = value(db, "SELECT pgagent_py.add_job('x', sql => %s)", code)
    db.execute("CREATE TABLE seen (due text, previous text)")
    for ago in ("2 h", "1 h"):
        missed(db, job, ago)
        db.execute("SELECT pgagent_py.run_due()")
    (first, nothing), (second, previous) = rows(db, "SELECT * FROM seen")
    assert (nothing, previous) == ("", first)
    dues = rows(db, "SELECT h.due FROM pgagent_py.run_history h ORDER BY h.jlgid")
    assert [(datetime.fromisoformat(text),) for text in (first, second)] == dues
    assert first.endswith("+00:00")


def test_runs_of_the_daemon_are_told_by_its_host(database: str, db: Db) -> None:
    job = due_job(db, "x", minutes=5)
    with psycopg.connect(database, autocommit=True) as daemon:
        daemon.execute(
            "INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'cpp.example')"
        )
        daemon.execute(
            "UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid(), joblastrun = now() WHERE jobid = %s",
            [job],
        )
        # by another session, as its threads do
        db.execute("INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) VALUES (%s, 'r')", [job])
        assert origin(db, job)[:3] == ("start", None, "cpp.example")
        due = value(
            db,
            "UPDATE pgagent.pga_joblog SET jlgstatus = 's' RETURNING (SELECT jobnextrun FROM pgagent.pga_job)",
        )
        assert rows(db, "SELECT jobdue FROM pgagent_py.job_due") == [(due,)]


def test_rows_of_a_restore_are_no_runs(db: Db) -> None:
    job = due_job(db, "x")
    db.execute("UPDATE pgagent.pga_job SET jobagentid = NULL")
    db.execute("INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) VALUES (%s, 'r')", [job])
    assert origin(db, job) == (None, None, None, None, None, None)
