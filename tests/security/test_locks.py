"""A role that stays in its transaction, holds a lock or notifies without end holds up no other role and no launcher."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from launcher.wake_ups import BURST, PER_SECOND
from tests.conftest import StartLauncher
from tests.helpers import Db, call, rows, run_to_end, serving, value, wait_for, wait_for_row
from tests.helpers.protocol import Agent, done
from tests.helpers.roles import login

FLOOD = """
DO $$ BEGIN FOR n IN 1..10000 LOOP
    PERFORM pg_notify('pgagent_py', w) FROM unnest('{"",cancel,message,drain}'::text[]) w; COMMIT;
END LOOP; END $$"""
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@contextmanager
def idle_in_transaction(session: Db, *statements: str) -> Iterator[None]:
    """Have a session execute statements and stay in its transaction."""
    session.execute("BEGIN")
    for statement in statements:
        session.execute(statement.encode())
    yield
    session.execute("ROLLBACK")


def new_job(session: Db, name: str, **options: object) -> int:
    return int(call(session, "add_job", name, sql="SELECT 1", **options))


def test_a_launcher_starts_and_runs_jobs_while_others_are_in_their_transactions(
    address: str, admin: Db, alice: Db, bob: Db, launcher: StartLauncher
) -> None:
    hers = [new_job(alice, f"alice's {number}") for number in range(4)]
    call(alice, "add_dependency", hers[1], hers[0])
    call(admin, "set_limit", "Routine Maintenance", running=3)
    call(alice, "run_now", hers[3])
    his = new_job(bob, "bob's")
    # After a restore the sequences are behind: whoever registers raises them
    admin.execute("SELECT setval('pgagent.pga_jobsteplog_jslid_seq', 1, false)")
    admin.execute("SELECT setval('pgagent.pga_joblog_jlgid_seq', 1, false)")
    call(bob, "run_now", his)
    bob.execute("SELECT pgagent_py.run_due()")
    admin.execute("SELECT setval('pgagent.pga_jobsteplog_jslid_seq', 1, false)")
    admin.execute("SELECT setval('pgagent.pga_joblog_jlgid_seq', 1, false)")
    with (
        login(address, "mallory") as mallory,
        idle_in_transaction(
            mallory,
            "SELECT pg_advisory_lock(p.oid::bigint) FROM pg_proc p WHERE p.pronamespace = 'pgagent_py'::regnamespace",
            "SELECT pg_advisory_lock_shared(0, n) FROM generate_series(0, 100) n",
        ),
        idle_in_transaction(
            alice,
            "SELECT pgagent_py.run_due()",
            f"SELECT pgagent_py.alter_job({hers[0]}, description => 'x')",
            f"SELECT pgagent_py.add_dependency({hers[2]}, {hers[1]})",
        ),
    ):
        launcher(address)
        assert run_to_end(admin, his).status == "s"
        other = new_job(bob, "bob's other")
        call(bob, "add_dependency", other, his)
        assert run_to_end(admin, his).status == "s"
        wait_for_row(admin, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 's'", other)
    call(admin, "set_limit", "Routine Maintenance")


def test_a_limit_is_free_while_a_user_is_in_its_transaction_after_run_due(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    call(admin, "set_limit", "Routine Maintenance", running=1)
    call(alice, "run_now", new_job(alice, "alice's"))
    call(bob, "run_now", new_job(bob, "bob's"))
    agent = Agent(address)
    with idle_in_transaction(alice, "SELECT pgagent_py.run_due()"):
        (step,) = agent.run_due(5)
    # A session leaves jobs under a limit to launchers
    agent.run_due(0, done(step))
    assert alice.execute("SELECT pgagent_py.run_due()").fetchall() == []
    (other,) = agent.run_due(5)
    assert {step.jobname, other.jobname} == {"alice's", "bob's"}
    agent.close()
    call(admin, "set_limit", "Routine Maintenance")


def test_a_users_run_due_touches_nothing_of_others(address: str, admin: Db, alice: Db, bob: Db) -> None:
    first, then = new_job(bob, "first"), new_job(bob, "then")
    call(bob, "add_dependency", then, first)
    agent = Agent(address)
    call(bob, "run_now", first)
    (step,) = agent.run_due(1)
    agent.run_due(0, done(step))
    # An order that has become void
    waiting = new_job(bob, "waiting")
    call(bob, "run_now", waiting, parameters='{"a": 1}')
    admin.execute(
        "UPDATE pgagent.pga_job SET jobnextrun = now() + interval '1 h' WHERE jobid = %s", [waiting]
    )
    admin.execute("UPDATE pgagent.pga_job SET jobnextrun = NULL WHERE jobid = %s", [then])
    admin.execute(
        "INSERT INTO pgagent_py.dependency_met SELECT %s, %s, max(jlgid), 's' FROM pgagent.pga_joblog",
        [then, first],
    )
    new_job(alice, "alice's")
    with idle_in_transaction(alice, "SELECT pgagent_py.run_due()"):
        bob.execute("SET lock_timeout = '1 s'")
        call(bob, "run_now", waiting)
        assert {step.jobname for step in agent.run_due(5)} == {"waiting", "then"}
    agent.close()


def test_two_sessions_can_not_close_a_circle_of_dependencies(address: str, admin: Db, alice: Db) -> None:
    jobs = [new_job(alice, name) for name in "abcd"]
    a, b, c, d = jobs
    call(alice, "add_dependency", b, c)
    call(alice, "add_dependency", d, a)
    agent = Agent(address)
    with login(address, "alice") as other:
        other.execute("BEGIN")
        alice.execute("BEGIN")
        call(alice, "add_dependency", a, b)
        call(other, "add_dependency", c, d)
        alice.execute("COMMIT")
        agent.run_due(1)
        other.execute("COMMIT")
    agent.run_due(1)
    left = rows(admin, "SELECT jobid, jobafter FROM pgagent_py.job_dependency ORDER BY 1")
    assert left == [(a, b), (b, c), (d, a)]
    agent.close()


def test_a_run_that_was_locked_is_closed_as_soon_as_it_is_free(address: str, admin: Db, alice: Db) -> None:
    job = new_job(alice, "alice's")
    admin.execute(
        "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart) VALUES (%s, 'r', now() - interval '1 h')",
        [job],
    )
    with idle_in_transaction(alice, f"SELECT pgagent_py.alter_job({job}, description => 'x')"):
        agent = Agent(address)
        agent.run_due(1)
        assert value(admin, "SELECT jlgstatus FROM pgagent.pga_joblog") == "r"
    while value(admin, "SELECT jlgstatus FROM pgagent.pga_joblog") == "r":
        agent.run_due(1)
    assert value(admin, "SELECT jlgstatus FROM pgagent.pga_joblog") == "d"
    agent.close()


@pytest.mark.parametrize("gap", [50, 1_000_000])
def test_sequences_are_raised_by_several_sessions_at_once(
    address: str, admin: Db, alice: Db, gap: int
) -> None:
    job = new_job(alice, "alice's")
    admin.execute("INSERT INTO pgagent.pga_joblog (jlgid, jlgjobid) VALUES (%s, %s)", [gap, job])
    name = "pgagent.pga_joblog_jlgid_seq"
    admin.execute("SELECT setval(%s, 1, false)", [name])
    with psycopg.connect(address) as first:
        first.execute("SELECT pgagent_py._raise_sequences()")
        admin.execute("SELECT setval(%s, 1, false)", [name])
        admin.execute("SELECT pgagent_py._raise_sequences()")
    assert value(admin, "SELECT nextval(%s::regclass)", name) == gap + 1


def test_a_flood_of_notifications_wakes_a_launcher_a_few_times_a_second(
    address: str, admin: Db, bob: Db, launcher: StartLauncher
) -> None:
    his = new_job(bob, "bob's")
    admin.execute("ALTER ROLE starter SET track_functions = 'pl'")
    serving(launcher(make_conninfo(address, user="starter")))
    admin.execute("ALTER ROLE starter RESET track_functions")
    turns = "SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE funcname = '_turn'"
    start, before = time.monotonic(), value(admin, turns)
    with login(address, "mallory") as mallory:
        mallory.execute(FLOOD)
        call(bob, "run_now", his)
        mallory.execute(FLOOD)
        wait_for_row(admin, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 's'", his)
    # A session reports what it has called within a second
    wait_for(lambda: value(admin, turns) > before)
    assert value(admin, turns) - before < BURST + PER_SECOND * (time.monotonic() - start) + 20
