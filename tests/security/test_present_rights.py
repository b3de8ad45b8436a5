"""Rights are looked at in the present: not in an old snapshot, and not from before a wait."""

import threading
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from plpython.api.verbs import FOR_USERS
from tests.helpers import (
    Db,
    add_job,
    add_yearly_job,
    call,
    first_step,
    make_due,
    rows,
    run_due,
    value,
    wait_for,
)
from tests.helpers.roles import login

OLD = "BEGIN ISOLATION LEVEL REPEATABLE READ"
# What one who may no longer use a job tries with it, by the verb; %(...)s are the ids of the job and of what is in it.
VERBS = {
    "alter_job": "pgagent_py.alter_job(%(job)s, description => 'mine')",
    "alter_job group": "pgagent_py.alter_job(%(job)s, \"group\" => 'mine')",
    "alter_job owner": "pgagent_py.alter_job(%(job)s, owner => 'alice')",
    "add_step": "pgagent_py.add_step(%(job)s, 'x', sql => 'SELECT 1')",
    "alter_step": "pgagent_py.alter_step(%(step)s, sql => 'SELECT 666')",
    "alter_step option": "pgagent_py.alter_step(%(step)s, retries => 3)",
    "add_schedule": "pgagent_py.add_schedule(%(job)s, 'x', cron => '@hourly')",
    "alter_schedule": "pgagent_py.alter_schedule(%(schedule)s, timezone => 'Europe/Paris')",
    "add_exception": "pgagent_py.add_exception(%(schedule)s, on_date => '2040-01-02')",
    "drop_exception": "pgagent_py.drop_exception(%(exception)s)",
    "attach_calendar": "pgagent_py.attach_calendar(%(schedule)s, 'holidays')",
    "detach_calendar": "pgagent_py.detach_calendar(%(schedule)s, 'attached')",
    "add_message": "pgagent_py.add_message(%(job)s, 'email', 'alice@example.org')",
    "drop_message": "pgagent_py.drop_message(%(message)s)",
    "add_dependency": "pgagent_py.add_dependency(%(job)s, %(own)s)",
    "add_dependency after": "pgagent_py.add_dependency(%(own)s, %(job)s)",
    "drop_dependency": "pgagent_py.drop_dependency(%(job)s, %(other)s)",
    "run_now": "pgagent_py.run_now(%(job)s)",
    "cancel_run": "pgagent_py.cancel_run(%(run)s)",
    "skip_next_run": "pgagent_py.skip_next_run(%(job)s)",
    "unskip_next_run": "pgagent_py.unskip_next_run(%(job)s)",
    "backfill": "pgagent_py.backfill(%(job)s, '2024-01-01', '2026-01-01')",
    "cancel_backfill": "pgagent_py.cancel_backfill(%(backfill)s)",
    "drop_job": "pgagent_py.drop_job(%(job)s)",
}
AWAY = {
    "to bob": "SELECT pgagent_py.alter_job({job}, owner => 'bob')",
    "to nobody": "SELECT pgagent_py.alter_job({job}, owner => '')",
    "by hand": "UPDATE pgagent_py.job_option SET jobowner = 'bob' WHERE jobid = {job}",
}


@pytest.fixture(scope="module", autouse=True)
def calendars(address: str) -> None:
    with login(address, "postgres") as db:
        for name in ("holidays", "attached"):
            call(db, "add_calendar", name, days=["2040-01-01"])


@pytest.fixture
def ids(admin: Db, alice: Db) -> dict[str, int]:
    """Return the ids of jobs of alice's, and of what the first of them has."""
    job = add_yearly_job(alice, "hers", "SELECT 1")
    schedule = value(alice, "SELECT jscid FROM pgagent_py.visible_schedule WHERE jscjobid = %s", job)
    call(alice, "attach_calendar", schedule, "attached")
    message = call(alice, "add_message", job, "email", "alice@example.org")
    other, own = add_job(alice, "other"), add_job(alice, "own")
    call(alice, "add_dependency", job, other, "success")
    call(alice, "skip_next_run", job)
    ids = {"job": job, "schedule": schedule, "step": first_step(admin, job), "message": message}
    ids |= {"exception": call(alice, "add_exception", schedule, "2040-01-01"), "other": other, "own": own}
    run = "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) VALUES (%s, 'r') RETURNING jlgid"
    return ids | {
        "run": value(admin, run, job),
        "backfill": call(alice, "backfill", job, "2020-01-01", "2024-01-01"),
    }


def test_every_verb_for_a_job_is_tried() -> None:
    """New jobs are no other role's: test_if_exists has those that are replaced."""
    of_new_jobs = {"add_job", "import_crontab"}
    assert {name.split()[0] for name in VERBS} | of_new_jobs == {verb.__name__ for verb in FOR_USERS}


def contents(db: Db, job: int) -> list[Any]:
    """Return what a job is made of, its log, and who waits for it."""
    return [
        rows(db, query, job)
        for query in (
            "SELECT j.*, o.* FROM pgagent.pga_job j LEFT JOIN pgagent_py.job_option o USING (jobid) WHERE jobid = %s",
            "SELECT * FROM pgagent.pga_jobstep LEFT JOIN pgagent_py.step_option USING (jstid) WHERE jstjobid = %s ORDER BY 1",
            "SELECT * FROM pgagent.pga_schedule LEFT JOIN pgagent_py.schedule_option USING (jscid)"
            " LEFT JOIN pgagent_py.schedule_calendar USING (jscid)"
            " LEFT JOIN pgagent.pga_exception ON jexscid = jscid WHERE jscjobid = %s ORDER BY 1",
            "SELECT * FROM pgagent_py.message WHERE msgjobid = %s ORDER BY 1",
            "SELECT * FROM pgagent_py.job_dependency WHERE %s IN (jobid, jobafter) ORDER BY 1, 2",
            "SELECT * FROM pgagent.pga_joblog WHERE jlgjobid = %s ORDER BY 1",
            "SELECT jobid FROM pgagent_py.skip WHERE jobid = %s UNION ALL SELECT bflid FROM pgagent_py.backfill"
            " WHERE bflended IS NULL ORDER BY 1",
        )
    ]


def error_of(db: Db, statement: str, ids: Any = None) -> str:
    """Return the SQLSTATE of a statement, '' if it goes through."""
    try:
        db.execute(statement.encode(), ids)
    except psycopg.Error as error:
        return error.sqlstate or "?"
    return ""


@pytest.mark.parametrize("away", AWAY)
def test_no_verb_works_by_an_old_snapshot_on_a_job_that_is_anothers_now(
    admin: Db, alice: Db, ids: dict[str, int], away: str
) -> None:
    went_through = {}
    for name, verb in VERBS.items():
        alice.execute(OLD)
        assert rows(alice, "SELECT jobid FROM pgagent_py.visible_job WHERE jobid = %s", ids["job"])
        admin.execute(AWAY[away].format(job=ids["job"]).encode())
        before = contents(admin, ids["job"])
        state = error_of(alice, f"SELECT {verb}", ids)
        alice.execute("ROLLBACK" if state else "COMMIT")
        if (state, contents(admin, ids["job"])) != ("40001", before):
            went_through[name] = state
        call(admin, "alter_job", ids["job"], owner="alice")
    assert went_through == {}


WAITS = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"


def meanwhile(admin: Db, waiting: Db, change: str, statement: str, ids: Any = None) -> str:
    """Return the SQLSTATE of a statement of *waiting* that waits for a *change* of admin's."""
    states: list[str] = []
    admin.execute("BEGIN")
    admin.execute(change.encode())
    thread = threading.Thread(target=lambda: states.append(error_of(waiting, statement, ids)))
    thread.start()
    try:
        wait_for(lambda: not thread.is_alive() or rows(admin, WAITS, waiting.info.backend_pid), what="a wait")
    finally:
        admin.execute("COMMIT")
        thread.join()
    return states[0]


@pytest.mark.parametrize("away", AWAY)
def test_no_verb_works_after_a_wait_on_a_job_that_has_become_anothers(
    admin: Db, alice: Db, ids: dict[str, int], away: str
) -> None:
    went_through = {}
    for name, verb in VERBS.items():
        state = meanwhile(admin, alice, AWAY[away].format(job=ids["job"]), f"SELECT {verb}", ids)
        present = contents(admin, ids["job"])
        if state != "22023" or "mine" in str(present) or "666" in str(present):
            went_through[name] = state
        call(admin, "alter_job", ids["job"], owner="alice")
    assert went_through == {}


@pytest.mark.parametrize(
    "right", ["pgagent_py_user FROM alice", "ALL ON ALL TABLES IN SCHEMA pgagent FROM editor"]
)
def test_a_right_that_was_taken_away_during_a_wait_counts(
    address: str, admin: Db, ids: dict[str, int], right: str
) -> None:
    with login(address, right.split()[-1]) as waiting:
        change = f"REVOKE {right}; UPDATE pgagent.pga_job SET jobdesc = 'x' WHERE jobid = {ids['job']}"
        assert meanwhile(admin, waiting, change, f"SELECT {VERBS['alter_step']}", ids) == "42501"
    admin.execute(f"GRANT {right.replace('FROM', 'TO')}".encode())
    assert value(admin, "SELECT jstcode FROM pgagent.pga_jobstep WHERE jstid = %s", ids["step"]) == "SELECT 1"


def test_a_session_with_an_old_snapshot_runs_no_job_that_is_anothers_now(
    admin: Db, alice: Db, ids: dict[str, int]
) -> None:
    make_due(admin, ids["job"])
    for away in AWAY.values():
        alice.execute(OLD)
        rows(alice, "SELECT FROM pgagent_py.visible_job")
        admin.execute(away.format(job=ids["job"]).encode())
        state = error_of(alice, "SELECT * FROM pgagent_py.run_due()")
        alice.execute("ROLLBACK" if state else "COMMIT")
        assert state == "40001"
        assert rows(admin, "SELECT jlgid FROM pgagent.pga_joblog") == [(ids["run"],)]
        call(admin, "alter_job", ids["job"], owner="alice")


def test_a_job_that_gets_its_first_owner_is_not_run_or_changed_by_an_old_snapshot(
    address: str, admin: Db, alice: Db
) -> None:
    """The owner comes with a new row of options, which an old snapshot does not see."""
    job = add_yearly_job(admin, "nobody's", "SELECT 1")
    with login(address, "editor") as editor, login(address, "starter") as starter:
        make_due(admin, job)
        for session in (editor, starter):
            session.execute(OLD)
            session.execute("SELECT 1")
        call(admin, "alter_job", job, owner="alice")
        assert (
            error_of(
                editor, f"SELECT pgagent_py.add_step({job}, 'x', sql => 'SELECT 1', connstr => 'host=x')"
            )
            == "40001"
        )
        assert error_of(starter, "SELECT * FROM pgagent_py.run_due()") == "40001"
        for session in (editor, starter):
            session.execute("ROLLBACK")
    assert run_due(alice) == ["nobody's"]


def test_a_job_is_not_given_away_with_code_that_the_giver_has_not_seen(
    address: str, admin: Db, alice: Db, ids: dict[str, int]
) -> None:
    changes = ["add_step", "alter_step"]
    with login(address, "postgres") as giver:
        for change in changes:
            giver.execute(OLD)
            giver.execute("SELECT 1")
            alice.execute(f"SELECT {VERBS[change]}".encode(), ids)
            assert error_of(giver, AWAY["to bob"].format(job=ids["job"])) == "40001"
            giver.execute("ROLLBACK")
    assert value(admin, "SELECT jobowner FROM pgagent_py.visible_job WHERE jobid = %s", ids["job"]) == "alice"


def test_an_old_snapshot_is_good_enough_where_nothing_of_the_job_has_changed(
    address: str, admin: Db, alice: Db, ids: dict[str, int]
) -> None:
    with login(address, "editor") as editor:
        for session in (alice, editor):
            session.execute(OLD)
            session.execute("SELECT 1")
        call(admin, "alter_job", ids["own"], owner="bob")
        add_job(admin, "new", "SELECT 1")
        done = {
            name: error_of(alice, f"SELECT {verb}", ids)
            for name, verb in VERBS.items()
            if "%(own)s" not in verb
        }
        assert set(done.values()) == {""}, done
        alice.execute("COMMIT")
        editor.execute("ROLLBACK")
        document = value(editor, "SELECT pgagent_py.export_jobs()")
        editor.execute(OLD)
        editor.execute("SELECT 1")
        add_job(admin, "another", "SELECT 1")
        assert error_of(editor, "SELECT pgagent_py.import_jobs(%s)", [Jsonb(document)]) == ""
        editor.execute("COMMIT")


def test_a_role_that_has_got_the_name_of_another_is_not_taken_for_it(
    admin: Db, alice: Db, ids: dict[str, int]
) -> None:
    """pg_roles in an old snapshot has the names of before."""
    admin.execute("CREATE ROLE boss LOGIN SUPERUSER")
    alice.execute(OLD)
    alice.execute("SELECT 1")
    admin.execute("ALTER ROLE boss RENAME TO chief; CREATE ROLE boss; GRANT boss TO alice")
    try:
        # The new one is too new for it, and the old one is not alice's to give to.
        assert error_of(alice, "SELECT pgagent_py.alter_job(%(own)s, owner => 'boss')", ids) == "42501"
        alice.execute("ROLLBACK")
        assert (
            value(admin, "SELECT jobowner FROM pgagent_py.visible_job WHERE jobid = %s", ids["own"])
            == "alice"
        )
    finally:
        admin.execute("DROP ROLE boss, chief")
