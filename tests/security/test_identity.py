"""A name or a number that comes again does not make another the same: roles count by their ids, agents by their backends."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    add_job,
    call,
    make_due,
    output,
    rows,
    run_due,
    serving,
    stop,
    value,
    wait_for,
    wait_for_end,
)
from tests.helpers.protocol import Agent
from tests.helpers.roles import login

WHO = "DO $$ BEGIN RAISE NOTICE 'I am %', (SELECT usesysid FROM pg_stat_activity WHERE pid = pg_backend_pid()); END $$"


@pytest.fixture
def dave(admin: Db) -> Iterator[int]:
    """Make the role dave; return its id."""
    admin.execute("CREATE ROLE dave LOGIN IN ROLE pgagent_py_user")
    yield int(value(admin, "SELECT 'dave'::regrole::oid"))
    admin.execute("DELETE FROM pgagent.pga_job")
    admin.execute("DROP ROLE dave")
    admin.execute("DROP ROLE IF EXISTS dave_before")


def replace_dave(admin: Db) -> int:
    """Let another role, a superuser, have dave's name; return its id."""
    admin.execute("ALTER ROLE dave RENAME TO dave_before; CREATE ROLE dave LOGIN SUPERUSER")
    return int(value(admin, "SELECT 'dave'::regrole::oid"))


def test_a_step_that_waits_for_a_connection_does_not_run_as_a_later_role_of_the_name(
    address: str, admin: Db, dave: int, launcher: StartLauncher
) -> None:
    agent = serving(launcher("-l", "2", address))
    with login(address, "dave") as db:
        job, warm = (add_job(db, name, WHO) for name in ("waits", "warm"))
    make_due(admin, warm)
    wait_for_end(admin, warm)
    assert f"I am {dave}" in output(admin, warm)
    # The warm connection is taken away, and there is no other one.
    admin.execute("ALTER ROLE dave CONNECTION LIMIT 0")
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dave'")
    wait_for(lambda: not rows(admin, "SELECT FROM pg_stat_activity WHERE usename = 'dave'"))
    make_due(admin, job)
    wait_for(lambda: "Waiting for a connection" in output(admin, job))
    replace_dave(admin)
    wait_for_end(admin, job)
    assert "I am" not in output(admin, job)
    assert "the role's name has become another role's" in output(admin, job)
    stop(agent)


def test_a_warm_connection_is_not_used_for_a_later_role_of_the_name(
    address: str, admin: Db, dave: int, launcher: StartLauncher
) -> None:
    agent = serving(launcher("-l", "2", address))
    with login(address, "dave") as db:
        old = add_job(db, "old", WHO)
    make_due(admin, old)
    wait_for_end(admin, old)
    later = replace_dave(admin)
    with login(address, "dave") as db:
        new = add_job(db, "new", WHO)
        call(db, "alter_job", new, owner="dave")
    make_due(admin, new, old)
    wait_for_end(admin, new, old)
    assert f"I am {later}" in output(admin, new)
    assert f"I am {dave}" in output(admin, old)  # which is called dave_before now
    stop(agent)


def hand_out(db: Db, agent: str, again: bool = False) -> list[dict[str, Any]]:
    """Register as a launcher, and return the steps that it gets, or that it has been given already."""
    db.execute("SELECT pgagent_py.start_agent(%s, 'x', %s)", [agent, again])
    with db.cursor(row_factory=dict_row) as cursor:
        query = (
            "SELECT * FROM pgagent_py.steps_in_progress()" if again else "SELECT * FROM pgagent_py.run_due(9)"
        )
        return cursor.execute(query.encode()).fetchall()


def test_a_step_that_is_handed_out_again_runs_only_if_its_owner_may_still_have_it(
    address: str, admin: Db
) -> None:
    """The launcher never got the answer with the steps, and comes back."""
    with login(address, "carol") as carol:
        jobs = [add_job(carol, name, {"batch": "id"}) for name in ("batch", "away")]
        jobs.append(add_job(carol, "good", "SELECT 1"))
    make_due(admin, *jobs)
    agent = str(uuid.uuid4())
    with login(address, "starter") as starter:
        assert len(hand_out(starter, agent)) == 3
    admin.execute("REVOKE pgagent_py_batch FROM carol")
    admin.execute("UPDATE pgagent_py.job_option SET jobowner = 'bob' WHERE jobid = %s", [jobs[1]])
    with login(address, "starter") as starter:
        steps = {step["jobid"]: step for step in hand_out(starter, agent, again=True)}
    admin.execute("GRANT pgagent_py_batch TO carol")
    good = steps.pop(jobs[2])
    assert (good["jobrunas"], good["jobroleid"]) == ("carol", value(admin, "SELECT 'carol'::regrole::oid"))
    for step in steps.values():
        assert (step["jstkind"], step["jobrunas"]) == ("s", None)
        with pytest.raises(psycopg.errors.RaiseException, match=r"^Not executed: .*pgagent_py_batch"):
            admin.execute(step["jstcode"].encode())


def test_the_daemon_may_not_claim_by_the_pid_of_a_session_that_is_gone(address: str, admin: Db) -> None:
    """The pid was an agent's of ours once, and has been given to the daemon's backend."""
    with login(address, "alice") as alice:
        job = add_job(alice, "hers", "SELECT 1")
    make_due(admin, job)
    claim = "UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid(), joblastrun = now() WHERE jobid = %s RETURNING jobid"
    with login(address, "postgres") as daemon:
        daemon.execute(
            """INSERT INTO pgagent_py.agent (jagpid, agent, jagstation, backend_start, jagrole, jagall, jagown)
               VALUES (pg_backend_pid(), gen_random_uuid(), 'x', now() - interval '1 day', 10, true, true)"""
        )
        daemon.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'x')")
        assert rows(daemon, claim, job) == []
        # Nor is it taken for that agent.
        assert rows(daemon, "SELECT * FROM pgagent_py.this_agent") == []
        assert rows(daemon, "SELECT * FROM pgagent_py.steps_in_progress()") == []
    admin.execute("DELETE FROM pgagent_py.agent; DELETE FROM pgagent.pga_jobagent")


@pytest.mark.parametrize("role", ["starter", "editor"])
def test_a_launcher_whose_role_may_not_be_one_any_more_is_handed_out_nothing(
    address: str, admin: Db, role: str
) -> None:
    job = add_job(admin, "nobody's", "SELECT 1")
    right = (
        "pgagent_py_launcher FROM starter" if role == "starter" else "INSERT ON pgagent.pga_job FROM editor"
    )
    with login(address, role) as session:
        assert hand_out(session, str(uuid.uuid4())) == []
        make_due(admin, job)
        admin.execute(f"REVOKE {right}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"role {role} may not run jobs"):
            session.execute("SELECT * FROM pgagent_py.run_due(9)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("SELECT pgagent_py.take_messages(9)")
        admin.execute(f"GRANT {right.replace('FROM', 'TO')}".encode())
        assert len(rows(session, "SELECT * FROM pgagent_py.run_due(9)")) == 1


def test_a_webhook_is_not_called_when_its_owner_may_not_have_it_any_more(address: str, admin: Db) -> None:
    """Nor one that was in the queue by then. What an administrator has added goes on."""
    taken = "SELECT m ->> 'target' FROM jsonb_array_elements(pgagent_py.take_messages(9)) m ORDER BY 1"
    with login(address, "carol") as carol:
        job = add_job(carol, "hers", "SELECT 1")
        for kind, target in (("webhook", "http://127.0.0.1:1/hers"), ("email", "carol@example.org")):
            call(carol, "add_message", job, kind, target, "finish")
        call(admin, "add_message", job, "webhook", "http://127.0.0.1:1/admin's", "finish")
        for expected in (["hers"], []):
            make_due(admin, job)
            carol.execute("SELECT pgagent_py.run_due()")
            if not expected:
                admin.execute("REVOKE pgagent_py_batch FROM carol")
            targets = [target for (target,) in rows(admin, taken)]
            assert [target[19:] for target in targets if target.startswith("http")] == ["admin's", *expected]
            assert "carol@example.org" in targets
            admin.execute("DELETE FROM pgagent_py.queued_message WHERE qmsnotbefore IS NOT NULL")
        admin.execute("GRANT pgagent_py_batch TO carol")
    unsent = "SELECT qmserror FROM pgagent_py.unsent_message WHERE given_up"
    assert "pgagent_py_batch" in value(admin, unsent)
    admin.execute("DELETE FROM pgagent_py.queued_message")


def test_role_ids_of_another_server_give_a_job_to_nobody(address: str, admin: Db, alice: Db, bob: Db) -> None:
    """A restore with the triggers disabled brings them as they were: here they are other roles'."""
    job = add_job(alice, "hers", "SELECT 1")
    restore = """
        CREATE TEMP TABLE dump AS SELECT * FROM pgagent_py.job_option;
        DELETE FROM pgagent_py.job_option;
        UPDATE dump SET jobinstallation = gen_random_uuid(), jobownerid = '{role}'::regrole;
        ALTER TABLE pgagent_py.job_option DISABLE TRIGGER ALL;
        INSERT INTO pgagent_py.job_option SELECT * FROM dump;
        ALTER TABLE pgagent_py.job_option ENABLE TRIGGER ALL;
        DROP TABLE dump"""
    try:
        admin.execute(restore.format(role="bob").encode())
        make_due(admin, job)
        for role in (alice, bob):
            assert rows(role, "SELECT FROM pgagent_py.visible_job") == []
            assert rows(role, "SELECT * FROM pgagent_py.run_due()") == []
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not exist"):
                call(role, "alter_job", job, description="mine")
        with login(address, "starter") as starter:
            assert hand_out(starter, str(uuid.uuid4())) == []
        assert "does not exist" in output(admin, job)
        admin.execute(restore.format(role="alice").encode())
        call(alice, "alter_job", job, description="mine")
        call(admin, "alter_job", job, owner="bob")
        assert run_due_after_making_due(admin, bob, job) == ["hers"]
    finally:
        admin.execute("ALTER TABLE pgagent_py.job_option ENABLE ALWAYS TRIGGER job_option_roles")


def run_due_after_making_due(admin: Db, session: Db, job: int) -> list[str]:
    make_due(admin, job)
    return run_due(session)


def test_a_session_with_the_pid_of_a_launcher_that_is_gone_is_not_that_launcher(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    """alice knows the launcher's id: it stands in the history of her own jobs."""
    his = add_job(bob, "his", {"sql": "SELECT 'bobs s3cret'"})
    later = add_job(bob, "his too", {"sql": "SELECT 'bobs s3cret'"})
    make_due(admin, his)
    agent = Agent(address)
    (step,) = agent.run_due(9)
    make_due(admin, later)
    # As if her backend had got the pid of the launcher's
    hers = alice.info.backend_pid
    admin.execute("SET session_replication_role = replica")
    for table, column in (
        ("pgagent.pga_jobagent", "jagpid"),
        ("pgagent_py.agent", "jagpid"),
        ("pgagent.pga_job", "jobagentid"),
    ):
        admin.execute(f"UPDATE {table} SET {column} = %s WHERE {column} = %s".encode(), [hers, agent.pid])
    admin.execute("RESET session_replication_role")
    turn = "SELECT * FROM unnest(pgagent_py._turn(%s, 9, '{}', false, true, '{}', 0, 0, true))"
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not registered"):
        alice.execute(turn, [agent.agent])
    for query in (
        "SELECT * FROM pgagent_py.steps_in_progress()",
        f"SELECT * FROM pgagent_py._steps_in_progress('{agent.agent}')",
        "SELECT * FROM pgagent_py.cancelled_runs()",
        "SELECT * FROM pgagent_py.own_run",
        "SELECT * FROM pgagent_py.this_agent",
    ):
        assert rows(alice, query) == [], query
    assert value(alice, "SELECT pgagent_py.next_wake()") is None
    assert value(alice, "SELECT pgagent_py.note_engine_job(%s, 'x')", step.jslid) is False
    alice.execute("SELECT pgagent_py.keep_rows(%s, '{a}', '[]')", [step.jslid])
    alice.execute("SELECT pgagent_py.stop_agent()")
    assert rows(admin, "SELECT FROM pgagent_py.step_rows") == []
    assert value(admin, "SELECT jobagentid FROM pgagent.pga_job WHERE jobid = %s", his) == hers
    agent.close()
