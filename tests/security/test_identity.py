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
    serving,
    stop,
    value,
    wait_for,
    wait_for_end,
)
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
