"""Definitions change, vanish or are locked while their job runs: it ends as it may, and the others never notice."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    add_yearly_job,
    agents,
    check_sound,
    make_due,
    output,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_start,
)


def gate(path: Path) -> dict[str, str]:
    """Return a batch step that runs until `path` exists."""
    return {"batch": f"while [ ! -e {path} ]; do sleep 0.02; done; echo passed"}


EDITS = {
    "job renamed and disabled": (
        "UPDATE pgagent.pga_job SET jobname = 'x', jobenabled = false WHERE jobid = %(job)s", [("s", "ss")]),
    "job deleted": ("DELETE FROM pgagent.pga_job WHERE jobid = %(job)s", []),
    "step renamed to come last": (
        "UPDATE pgagent.pga_jobstep SET jstname = '9' WHERE jstid = %(step)s", [("s", "ss")]),
    "step edited": (
        "UPDATE pgagent.pga_jobstep SET jstcode = 'exit 1', jstonerror = 'i' WHERE jstid = %(step)s", [("s", "ss")]),
    "step disabled": ("UPDATE pgagent.pga_jobstep SET jstenabled = false WHERE jstid = %(step)s", [("s", "ss")]),
    "step deleted": ("DELETE FROM pgagent.pga_jobstep WHERE jstid = %(step)s", [("s", "s")]),
    "next step disabled": ("UPDATE pgagent.pga_jobstep SET jstenabled = false WHERE jstid = %(next)s", [("s", "s")]),
    "next step deleted": ("DELETE FROM pgagent.pga_jobstep WHERE jstid = %(next)s", [("s", "s")]),
    "next step given to another job": (
        "UPDATE pgagent.pga_jobstep SET jstjobid = %(other)s WHERE jstid = %(next)s", [("s", "s")]),
    "step given to another job": (
        "UPDATE pgagent.pga_jobstep SET jstjobid = %(other)s WHERE jstid = %(step)s", [("s", "ss")]),
    "schedule moved": ("UPDATE pgagent.pga_schedule SET jscjobid = %(other)s WHERE jscjobid = %(job)s", [("s", "ss")]),
    "schedule deleted": ("DELETE FROM pgagent.pga_schedule WHERE jscjobid = %(job)s", [("s", "ss")]),
    "schedule changed": (
        "UPDATE pgagent.pga_schedule SET jscminutes[31] = true WHERE jscjobid = %(job)s", [("s", "ss")]),
    "log deleted": ("DELETE FROM pgagent.pga_joblog WHERE jlgjobid = %(job)s", []),
    "job told to run again": ("UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid = %(job)s", [("s", "ss")] * 2),
    # What an administrator does to a job that seems to hang: it is free again, and its first run is closed
    "job released": (
        "UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL WHERE jobid = %(job)s", [("d", "s")]),
    "job released and run again": (
        "UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = now() WHERE jobid = %(job)s",
        [("d", "s"), ("s", "ss")]),
}  # fmt: skip


def test_a_run_ends_as_it_may_whatever_is_edited_or_deleted(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """One job for each edit, all in progress at once in one launcher."""
    agent = serving(launcher("-l", "2", database))
    path = tmp_path / "gate"
    other = add_yearly_job(db, "other", {"sql": "SELECT 1"})
    jobs = {edit: add_yearly_job(db, edit, gate(path), {"sql": "SELECT 1"}) for edit in EDITS}
    make_due(db, *jobs.values())
    wait_for_start(db, *jobs.values())
    for edit, (statement, _) in EDITS.items():
        steps = [
            row[0]
            for row in db.execute(
                "SELECT jstid FROM pgagent.pga_jobstep WHERE jstjobid = %s ORDER BY jstid", [jobs[edit]]
            ).fetchall()
        ]
        names: dict[str, Any] = {"job": jobs[edit], "step": steps[0], "next": steps[1], "other": other}
        assert db.execute(statement.encode(), names).rowcount == 1, edit
    path.touch()
    wait_for_end(db, *jobs.values())
    wait_for(lambda: value(db, "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 'r'") == 0)
    assert {edit: statuses(db, job) for edit, job in jobs.items()} == {
        edit: expected for edit, (_, expected) in EDITS.items()
    }
    make_due(db, other)
    wait_for_end(db, other)
    stop(agent)
    check_sound(db)


LOCKS = {
    "job": "SELECT FROM pgagent.pga_job WHERE jobid = %s FOR UPDATE",
    "run": "SELECT FROM pgagent.pga_joblog WHERE jlgjobid = %s FOR UPDATE",
    "step log": "SELECT FROM pgagent.pga_jobsteplog WHERE jsljlgid IN"
    " (SELECT jlgid FROM pgagent.pga_joblog WHERE jlgjobid = %s) FOR UPDATE",
    "steps": "SELECT FROM pgagent.pga_jobstep WHERE jstjobid = %s FOR UPDATE",
    "all but the key of the job": "UPDATE pgagent.pga_job SET jobdesc = 'x' WHERE jobid = %s",
}


def test_results_are_booked_when_the_locks_on_their_rows_go(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """Sessions hold locks on rows of running jobs, then let go: the results are booked then; other jobs go on."""
    agent = serving(launcher("-l", "2", database))
    path = tmp_path / "gate"
    jobs = {name: add_yearly_job(db, name, gate(path), {"sql": "SELECT 1"}) for name in LOCKS}
    due, free = (
        add_yearly_job(db, "due", {"sql": "SELECT 1"}),
        add_yearly_job(db, "free", {"sql": "SELECT 1"}, {"sql": "SELECT 2"}),
    )
    make_due(db, *jobs.values())
    wait_for_start(db, *jobs.values())
    with psycopg.connect(database) as session:
        for name, lock in LOCKS.items():
            assert session.execute(lock.encode(), [jobs[name]]).rowcount >= 1
        make_due(db, due)
        session.execute("SELECT FROM pgagent.pga_job WHERE jobid = %s FOR UPDATE", [due])
        path.touch()
        for _ in range(3):
            make_due(db, free)
            wait_for_end(db, free)
        for name in jobs:
            assert statuses(db, jobs[name])[0][0] == "r", name
    wait_for_end(db, *jobs.values(), due)
    for name in jobs:
        assert statuses(db, jobs[name]) == [("s", "ss")], name
        assert output(db, jobs[name]) == "passed\n"
    assert statuses(db, free) == [("s", "ss")] * 3
    stop(agent)
    check_sound(db)


HELD = {
    "SELECT pgagent_py.alter_job(%(job)s, timeout => '1 h')": "max_failures => 3",
    "SELECT pgagent_py.alter_job(%(job)s, priority => 7)": "delete_on_success => true",
    "SELECT pgagent_py.alter_step(%(step)s, retries => 7)": "delete_on_success => true",
    "SELECT pgagent_py.drop_message(%(message)s)": "delete_on_success => true",
    "SELECT pgagent_py.add_dependency(%(a)s, %(b)s)": "delete_on_success => true",
}


@pytest.mark.parametrize(("call", "option"), HELD.items())
def test_an_open_transaction_that_changes_options_holds_up_no_other_job(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path, call: str, option: str
) -> None:
    job, other = (
        add_yearly_job(db, "job", gate(tmp_path / "gate")),
        add_yearly_job(db, "other", {"sql": "SELECT 1"}),
    )
    ids = {"job": job, "a": add_yearly_job(db, "a"), "b": add_yearly_job(db, "b")}
    ids["step"] = value(db, "SELECT jstid FROM pgagent.pga_jobstep WHERE jstjobid = %s", job)
    ids["message"] = value(db, "SELECT pgagent_py.add_message(%s, 'email', 'me@example.org')", job)
    db.execute(f"SELECT pgagent_py.alter_job({job}, {option})".encode())
    db.execute("SELECT pgagent_py.alter_step(%s, retries => 1)", [ids["step"]])
    agent = serving(launcher("-l", "2", database))
    make_due(db, job)
    wait_for_start(db, job)
    with psycopg.connect(database) as session:
        session.execute(call.encode(), ids)
        (tmp_path / "gate").touch()
        for _ in range(3):
            make_due(db, other)
            wait_for_end(db, other)
        assert statuses(db, other) == [("s", "s")] * 3
        session.rollback()
    wait_for_end(db, job)
    if option.startswith("delete"):
        assert wait_for(lambda: value(db, "SELECT count(*) FROM pgagent.pga_job WHERE jobid = %s", job) == 0)
    else:
        assert statuses(db, job) == [("s", "s")]
    stop(agent)
    check_sound(db)


def test_runs_of_a_dead_launcher_are_closed_as_the_locks_on_them_go(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    """The runs of an agent that is gone are closed one by one as the locks on them go."""
    victim = serving(launcher("-l", "2", database))
    jobs = {name: add_yearly_job(db, name, {"batch": "sleep 600"}) for name in [*LOCKS, "free"]}
    make_due(db, *jobs.values())
    wait_for_start(db, *jobs.values())
    heir = serving(launcher("-l", "2", database))
    with psycopg.connect(database) as session:
        for name, lock in LOCKS.items():
            session.execute(lock.encode(), [jobs[name]])
        victim.kill()
        wait_for_end(db, jobs["free"])
        make_due(db, jobs["free"])
        wait_for_start(db, jobs["free"])
    held = [job for name, job in jobs.items() if name != "free"]
    wait_for_end(db, *held)
    assert [statuses(db, job) for job in held] == [[("d", "d")]] * len(held)
    wait_for(lambda: agents(db) == 1)
    stop(heir)
    check_sound(db)


def test_a_step_fails_when_its_database_is_dropped(database: str, db: Db, launcher: StartLauncher) -> None:
    """The database of a running step goes: the step fails, the next run says why, other jobs go on."""
    serving(launcher("-l", "2", database))
    db.execute("CREATE DATABASE going")
    try:
        job = add_yearly_job(db, "a", {"sql": "SELECT pg_sleep(600)", "database": "going"})
        make_due(db, job)
        wait_for(
            lambda: value(
                db,
                "SELECT count(*) FROM pg_stat_activity WHERE datname = 'going' AND query LIKE '%pg_sleep%'",
            )
        )
    finally:
        db.execute("DROP DATABASE going WITH (FORCE)")
    wait_for_end(db, job)
    assert "terminating connection due to administrator command" in output(db, job)
    make_due(db, job)
    wait_for_end(db, job)
    assert 'database "going" does not exist' in output(db, job)
    assert statuses(db, job) == [("f", "f")] * 2
    check_sound(db)


def test_a_launcher_serves_its_database_again_when_that_comes_back(
    own_cluster: Any, launcher: StartLauncher
) -> None:
    """The launcher waits for its database to come back, and serves the new one."""
    with own_cluster.connect() as server:
        server.execute("CREATE DATABASE mine TEMPLATE pgagent_py_template")
        agent = serving(launcher("-l", "2", "-r", "1", own_cluster.conninfo("mine")))
        server.execute("DROP DATABASE mine WITH (FORCE)")
        agent.wait_for_log('database "mine" does not exist')
        server.execute("CREATE DATABASE mine")
        agent.wait_for_log("does not have the extension pgagent_py")
    with own_cluster.connect("mine") as db:
        db.execute("CREATE EXTENSION pgagent_py CASCADE")
        job = add_yearly_job(db, "a", {"sql": "SELECT 1"})
        make_due(db, job)
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
    stop(agent)


def test_a_launcher_whose_row_was_deleted_registers_again(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    """Somebody tidies up pga_jobagent under a live launcher: it registers anew, and no job is stuck."""
    agent = serving(launcher("-l", "2", database))
    db.execute("SELECT pg_advisory_lock(1)")
    job = add_yearly_job(db, "a", {"sql": "SELECT pg_advisory_lock_shared(1)"}, {"sql": "SELECT 1"})
    make_due(db, job)
    wait_for_start(db, job)
    db.execute("DELETE FROM pgagent.pga_jobagent")
    wait_for(lambda: statuses(db, job)[0][0] == "d", what="the end of the first run")
    db.execute("SELECT pg_advisory_unlock(1)")
    # Without an agent the job is free, and due since it was
    wait_for(lambda: statuses(db, job)[-1] == ("s", "ss"))
    assert [run for run, _ in statuses(db, job)] == ["d", "s"]
    wait_for(lambda: agents(db) == 1)
    stop(agent)
    check_sound(db)
