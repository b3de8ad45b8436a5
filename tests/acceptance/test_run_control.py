"""Run control with a real launcher: cancelling runs, repeating from a step on, pausing."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from launcher.batch_step import KILL_SECONDS
from launcher.sql_step import CANCEL_GIVE_UP_SECONDS
from tests.conftest import StartLauncher
from tests.helpers import (
    PATIENCE,
    SLEEPING,
    Db,
    add_job,
    alter_job,
    alter_steps,
    run_to_end,
    wait_for,
    wait_for_row,
)

STATUS = "SELECT jlgstatus FROM pgagent.pga_joblog WHERE jlgid = %s"
STEPS = """
    SELECT s.jstname, l.jslstatus FROM pgagent.pga_jobsteplog l JOIN pgagent.pga_jobstep s ON s.jstid = l.jsljstid
     WHERE l.jsljlgid = %s ORDER BY l.jslid"""
# Catches cancel requests, as long as it can
STUBBORN_SQL = """
DO $$ BEGIN
    LOOP
        BEGIN
            PERFORM pg_sleep(60);
        EXCEPTION WHEN query_canceled THEN
            RAISE NOTICE 'no';
        END;
    END LOOP;
END $$"""


def start(db: Db, job: int) -> int:
    """Let a job run and return the run once its first step is in progress."""
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    query = """
        SELECT r.jlgid FROM pgagent.pga_joblog r JOIN pgagent.pga_jobsteplog l ON l.jsljlgid = r.jlgid
         WHERE r.jlgjobid = %s AND r.jlgstatus = 'r' AND l.jslstatus = 'r'"""
    return int(wait_for_row(db, query, job)[0])


def status_at_end(db: Db, run: int) -> str:
    """Return the run's status once it has ended."""
    return str(wait_for_row(db, f"{STATUS} AND jlgstatus <> 'r'", run)[0])


def last_output(db: Db, run: int) -> str:
    query = "SELECT jsloutput FROM pgagent.pga_jobsteplog WHERE jsljlgid = %s ORDER BY jslid DESC LIMIT 1"
    return str(wait_for_row(db, query, run)[0])


def cancel(db: Db, run: int) -> float:
    """Cancel a run; return the seconds until it had ended."""
    started = time.monotonic()
    db.execute("SELECT pgagent_py.cancel_run(%s)", [run])
    assert status_at_end(db, run) == "d"
    return time.monotonic() - started


@pytest.mark.parametrize("kind", ["sql", "batch"])
def test_cancel_stops_the_step_and_the_job_goes_on(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path, kind: str
) -> None:
    launcher(database)
    marker = tmp_path / "ended"
    batch = f"#!/bin/sh\necho begun\ntrap 'echo TERM > {marker}; exit 1' TERM\nwhile :; do sleep 0.05; done"
    codes = [batch, "echo second"] if kind == "batch" else ["SELECT pg_sleep(600)", "SELECT 2"]
    job = add_job(db, "long", *({kind: code} for code in codes), cron="0 4 * * *")
    run = start(db, job)
    if kind == "batch":
        shown = "SELECT 1 FROM pgagent.pga_jobsteplog WHERE jsljlgid = %s AND jsloutput LIKE 'begun%%'"
        wait_for_row(db, shown, run)
    else:
        wait_for_row(db, SLEEPING)
    cancel(db, run)
    assert db.execute(STEPS, [run]).fetchall() == [("1", "d")]
    assert last_output(db, run).endswith("The run was cancelled by postgres.\n")
    if kind == "batch":
        assert last_output(db, run).startswith("begun\n")
        assert marker.read_text() == "TERM\n"
    else:
        wait_for(lambda: not db.execute(SLEEPING).fetchall())
    ((agent, next_run),) = db.execute("SELECT jobagentid, jobnextrun > now() FROM pgagent.pga_job").fetchall()
    assert (agent, next_run) == (None, True)


@pytest.mark.parametrize("kind", ["sql", "batch"])
def test_cancel_does_not_wait_for_a_step_that_resists(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path, kind: str
) -> None:
    """At best it takes less than such a step is given when there is no hurry."""
    trapped = tmp_path / "trapped"
    asleep = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    batch = f"#!/bin/sh\ntrap '' TERM INT\ntouch {trapped}\nwhile :; do sleep 0.05; done"
    launcher(database)
    job = add_job(db, "stubborn", {kind: STUBBORN_SQL if kind == "sql" else batch})
    seconds = []
    for _ in range(3):
        trapped.unlink(missing_ok=True)
        run = start(db, job)
        wait_for(
            lambda: trapped.exists() if kind == "batch" else db.execute(asleep).rowcount, what="its trap"
        )
        seconds.append(cancel(db, run))
    assert min(seconds) < {"sql": CANCEL_GIVE_UP_SECONDS, "batch": KILL_SECONDS}[kind]


def test_cancel_reaches_the_right_launcher(database: str, db: Db, launcher: StartLauncher) -> None:
    for _ in range(2):
        launcher(database, "--workers", "1")
    runs = [start(db, add_job(db, name, "SELECT pg_sleep(600)")) for name in ("one", "two")]
    cancel(db, runs[1])
    assert db.execute(STATUS, [runs[0]]).fetchone() == ("r",)
    cancel(db, runs[0])


def test_a_run_that_waits_for_its_next_try_can_be_cancelled(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    launcher(database)
    job = add_job(db, "waits", "SELECT 1/0")
    alter_steps(db, retries=3, retry_delay="1 h")
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    (run,) = wait_for_row(db, "SELECT jlgid FROM pgagent_py.run WHERE jslid IS NULL")
    cancel(db, run)
    assert "division by zero" in last_output(db, run)
    assert last_output(db, run).endswith("The run was cancelled by postgres.")
    assert db.execute("SELECT jobagentid FROM pgagent.pga_job").fetchall() == [(None,)]


def test_a_run_is_closed_by_a_cancel_while_its_launcher_is_cut_off(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    """Its backend is gone, and it can't come back yet: the run is closed; what it then finds out ends its step."""
    process = launcher(database, "-l", "2")
    run = start(db, add_job(db, "long", "SELECT pg_sleep(600)"))
    wait_for_row(db, SLEEPING)
    process.signal(signal.SIGSTOP)
    db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")
    gone = "SELECT 1 FROM pgagent.pga_jobagent j WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = jagpid)"
    wait_for_row(db, gone)
    cancel(db, run)
    assert db.execute(STEPS, [run]).fetchall() == [("1", "d")]
    process.signal(signal.SIGCONT)
    wait_for(lambda: not db.execute(SLEEPING).fetchall())


def test_a_cancel_reaches_a_launcher_that_is_back_but_whose_job_is_locked(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    """The job is still claimed with the backend that is gone; the launcher that executes it is there."""
    launcher(database)
    run = start(db, add_job(db, "long", "SELECT pg_sleep(600)"))
    wait_for_row(db, SLEEPING)
    with psycopg.connect(database, autocommit=True) as other, ThreadPoolExecutor() as pool:
        with psycopg.connect(database) as session:
            session.execute("SELECT FROM pgagent.pga_job FOR UPDATE")
            db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")
            wait_for_row(db, "SELECT 1 FROM pgagent_py.agent HAVING count(*) = 2")
            cancelled = pool.submit(other.execute, "SELECT pgagent_py.cancel_run(%s)", [run])
            waits = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
            wait_for_row(db, waits, other.info.backend_pid)
        cancelled.result(PATIENCE)
    assert status_at_end(db, run) == "d"
    wait_for(lambda: not db.execute(SLEEPING).fetchall())


def test_run_now_from_a_step_on_is_for_that_run(database: str, db: Db, launcher: StartLauncher) -> None:
    db.execute("CREATE TABLE fixed ()")
    db.execute("DROP TABLE fixed")
    launcher(database)
    job = add_job(db, "load", "SELECT 1", "SELECT FROM fixed", "SELECT 3")
    run = run_to_end(db, job).id
    assert db.execute(STEPS, [run]).fetchall() == [("1", "s"), ("2", "f")]
    db.execute("CREATE TABLE fixed ()")
    ((failed,),) = db.execute("SELECT jstid FROM pgagent.pga_jobstep WHERE jstname = '2'").fetchall()
    run = run_to_end(db, job, from_step=failed).id
    assert db.execute(STEPS, [run]).fetchall() == [("2", "s"), ("3", "s")]
    # The order was for that run only
    run = run_to_end(db, job).id
    assert db.execute(STEPS, [run]).fetchall() == [("1", "s"), ("2", "s"), ("3", "s")]
    assert db.execute("TABLE pgagent_py.run_order").fetchall() == []


def test_run_now_counts_from_a_transaction_that_is_older_than_the_run(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    launcher(database)
    job = add_job(db, "job", "SELECT pg_sleep(600)", "SELECT 2")
    ((second,),) = db.execute("SELECT jstid FROM pgagent.pga_jobstep WHERE jstname = '2'").fetchall()
    with psycopg.connect(database) as other:
        other.execute("SELECT now()")
        first = start(db, job)
        other.execute("SELECT pgagent_py.run_now(%s, from_step => %s)", [job, second])
    cancel(db, first)
    query = "SELECT jlgid FROM pgagent.pga_joblog WHERE jlgid > %s AND jlgstatus = 's'"
    (run,) = wait_for_row(db, query, first)
    assert db.execute(STEPS, [run]).fetchall() == [("2", "s")]
    assert db.execute("SELECT count(*) FROM pgagent.pga_joblog").fetchone() == (2,)


def test_a_pause_lets_runs_end_and_starts_none(database: str, db: Db, launcher: StartLauncher) -> None:
    process = launcher(database)
    running = add_job(db, "running", "SELECT pg_sleep(600)", "SELECT 2")
    run = start(db, running)
    db.execute("SELECT pgagent_py.pause()")
    jobs = [add_job(db, f"due {number}", "SELECT 1") for number in range(3)]
    for job in jobs:
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert db.execute("SELECT class, paused_by FROM pgagent_py.paused").fetchall() == [(None, "postgres")]
    # What runs goes on: also its next step
    (pid,) = wait_for_row(db, SLEEPING)
    db.execute("SELECT pg_cancel_backend(%s)", [pid])
    assert status_at_end(db, run) == "f"
    assert process.process.poll() is None
    waiting = "SELECT count(*) FROM pgagent.pga_job WHERE jobnextrun <= now() AND jobagentid IS NULL"
    assert db.execute(waiting).fetchone() == (3,)
    db.execute("SELECT pgagent_py.resume()")
    done = "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgjobid = ANY (%s) AND jlgstatus = 's' HAVING count(*) = 3"
    wait_for_row(db, done, jobs)
    assert db.execute("SELECT count(*) FROM pgagent.pga_joblog").fetchone() == (4,)


def test_a_pause_of_a_class_holds_its_jobs_only(database: str, db: Db, launcher: StartLauncher) -> None:
    launcher(database)
    db.execute("SELECT pgagent_py.pause('Data Import')")
    held, other = add_job(db, "held", "SELECT 1"), add_job(db, "other", "SELECT 1")
    alter_job(db, held, **{"class": "Data Import"})
    alter_job(db, other, **{"class": "Data Export"})
    for job in (held, other):
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
    ended = "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 's'"
    wait_for_row(db, ended, other)
    assert db.execute("SELECT jlgjobid FROM pgagent.pga_joblog").fetchall() == [(other,)]
    db.execute("SELECT pgagent_py.resume('Data Import')")
    wait_for_row(db, ended, held)


def test_paused_jobs_cost_nothing(database: str, db: Db, launcher: StartLauncher) -> None:
    """A due job that may not start must not make the launcher look again and again."""
    db.execute("SELECT pgagent_py.pause()")
    for number in range(20):
        db.execute("SELECT pgagent_py.run_now(%s)", [add_job(db, f"{number}", "SELECT 1")])
    launcher(database, "-t", "60")
    (pid,) = wait_for_row(db, "SELECT jagpid FROM pgagent.pga_jobagent")
    sleeping = """
        SELECT state_change FROM pg_stat_activity
         WHERE pid = %s AND state = 'idle' AND query LIKE '%%next_wake%%' AND state_change < clock_timestamp() - interval '2 s'"""
    wait_for_row(db, sleeping, pid)
