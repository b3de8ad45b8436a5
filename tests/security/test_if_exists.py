"""add_job() with if_exists: two calls at once add one job, no role waits for another, what was given away is left alone."""

import threading

import psycopg
import pytest

from tests.helpers import Db, call, rows, value, wait_for
from tests.helpers.roles import login, refusal

ADD = "SELECT pgagent_py.add_job('nightly', sql => 'SELECT 2', if_exists => %s)"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


class Meanwhile:
    """A call in a session of its own, while another transaction is open."""

    def __init__(self, db: Db, way: str) -> None:
        self.found: list[int | str | None] = []
        self._thread = threading.Thread(target=self._call, args=(db, way))
        self._thread.start()

    def _call(self, db: Db, way: str) -> None:
        try:
            self.found.append(value(db, ADD, way))
        except psycopg.Error as error:
            self.found.append(error.sqlstate)

    def result(self) -> int | str | None:
        self._thread.join()
        return self.found[0]


@pytest.mark.parametrize(("way", "role"), [("replace", "alice"), ("keep", "editor"), ("error", "alice")])
def test_two_sessions_at_once_add_one_job(address: str, admin: Db, way: str, role: str) -> None:
    with login(address, role) as first, login(address, role) as second:
        with first.transaction():
            job = value(first, ADD, way)
            meanwhile = Meanwhile(second, way)
            wait_for(lambda: value(admin, WAITS) == 1)
        assert meanwhile.result() == ("42710" if way == "error" else job)
    assert rows(admin, "SELECT jobid FROM pgagent.pga_job") == [(job,)]


def test_an_old_snapshot_that_does_not_find_the_job_is_refused(admin: Db, address: str, alice: Db) -> None:
    value(alice, ADD, "replace")
    admin.execute("DELETE FROM pgagent.pga_job")
    with login(address, "alice") as other:
        alice.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        alice.execute("SELECT 1")
        value(other, ADD, "replace")
        with pytest.raises(psycopg.errors.SerializationFailure):
            value(alice, ADD, "replace")
        alice.execute("ROLLBACK")
    assert value(admin, "SELECT count(*) FROM pgagent.pga_job") == 1


def test_no_role_waits_for_another_and_none_gets_anothers_job(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    with login(address, "editor") as editor:
        for session in (bob, editor):
            session.execute("SET lock_timeout = '60 s'")
        with alice.transaction():
            jobs = [value(session, ADD, "replace") for session in (alice, bob, editor)]
    assert len(set(jobs)) == 3
    assert value(admin, "SELECT jobowner FROM pgagent_py.visible_job WHERE jobid = %s", jobs[1]) == "bob"


def test_a_job_that_was_given_away_while_the_call_waited_is_left_alone(admin: Db, alice: Db) -> None:
    job = value(alice, "SELECT pgagent_py.add_job('nightly', sql => 'SELECT 1')")
    with admin.transaction():
        admin.execute("SELECT pgagent_py.alter_job(%s, owner => 'bob')", [job])
        meanwhile = Meanwhile(alice, "replace")
        wait_for(lambda: value(admin, WAITS) == 1)
    hers = meanwhile.result()
    code = "SELECT jstjobid, jstcode FROM pgagent.pga_jobstep ORDER BY 1"
    assert rows(admin, code) == [(job, "SELECT 1"), (hers, "SELECT 2")]


def test_what_a_role_adds_in_several_sessions_counts_together(admin: Db, alice: Db) -> None:
    """Each session remembers what it has counted and added."""
    call(admin, "set_bound", "jobs", 7)
    for session in (alice, admin, alice):
        session.execute("SET ROLE alice")
        for number in range(2):
            call(session, "add_job", f"job {number}")
        session.execute("RESET ROLE")
    call(alice, "add_job", "the last")
    assert refusal(alice, "SELECT pgagent_py.add_job('more')")[0] == "54000"
    call(alice, "drop_job", call(alice, "job_id", "the last"))
    call(alice, "add_job", "in its place")
    call(admin, "set_bound", "jobs", None)
