"""Limits with a real launcher: timeouts, retries, lateness, places, priorities, failures in a row."""

import psycopg
import pytest

from tests.conftest import StartLauncher
from tests.helpers import (
    PATIENCE,
    SLEEPING,
    Db,
    add_job,
    alter_job,
    alter_step,
    alter_steps,
    first_step,
    run_to_end,
    wait_for_row,
)

TRIES = """
    SELECT s.jstname, l.jslstatus FROM pgagent.pga_jobsteplog l JOIN pgagent.pga_jobstep s ON s.jstid = l.jsljstid
     ORDER BY l.jslid"""
OUTPUT = "SELECT jsloutput FROM pgagent.pga_jobsteplog ORDER BY jslid DESC LIMIT 1"


@pytest.mark.parametrize(
    ("code", "kind"), [("SELECT pg_sleep(600)", "sql"), ("#!/bin/sh\nexec sleep 600", "batch")]
)
def test_a_step_is_stopped_after_its_timeout(
    database: str, db: Db, launcher: StartLauncher, code: str, kind: str
) -> None:
    launcher(database)
    job = add_job(db, "slow", {kind: code}, {kind: "SELECT 2" if kind == "sql" else "true"})
    alter_step(db, first_step(db, job), timeout="0.3 s", on_error="ignore")
    assert run_to_end(db, job).status == "s"
    assert db.execute(TRIES).fetchall() == [("1", "i"), ("2", "s")]
    (output,) = wait_for_row(db, "SELECT jsloutput FROM pgagent.pga_jobsteplog WHERE jslstatus = 'i'")
    assert "after its timeout of 0.3 s" in output


def test_the_timeout_of_a_job_is_for_all_its_steps(database: str, db: Db, launcher: StartLauncher) -> None:
    launcher(database)
    job = add_job(db, "slow", "SELECT 1", "SELECT pg_sleep(600)", "SELECT 3")
    # What on_error says counts for a step that fails, not for a run whose time is over
    alter_steps(db, on_error="ignore")
    alter_job(db, job, timeout="3 s")
    assert run_to_end(db, job).status == "f"
    assert db.execute(TRIES).fetchall() == [("1", "s"), ("2", "f")]
    assert "The run was stopped after its job's timeout." in str(db.execute(OUTPUT).fetchone())
    ((duration,),) = db.execute("SELECT extract(epoch FROM jlgduration) FROM pgagent.pga_joblog").fetchall()
    assert 3 <= duration < 600


def test_the_timeout_of_a_job_ends_it_between_two_tries(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    launcher(database)
    job = add_job(db, "failing", "SELECT 1/0")
    alter_steps(db, retries=9, retry_delay="1 h")
    alter_job(db, job, timeout="3 s")
    assert run_to_end(db, job).status == "f"
    assert db.execute(TRIES).fetchall() == [("1", "f")]
    assert "its job's timeout was over" in str(db.execute(OUTPUT).fetchone())


def test_a_step_is_tried_again_after_growing_delays(database: str, db: Db, launcher: StartLauncher) -> None:
    launcher(database)
    db.execute("CREATE SEQUENCE try")
    job = add_job(db, "flaky", "SELECT 1 / (nextval('try') / 4)", "SELECT 2")
    alter_step(db, first_step(db, job), retries=5, retry_delay="0.2 s", retry_backoff=3)
    assert run_to_end(db, job).status == "s"
    assert db.execute(TRIES).fetchall() == [("1", "f"), ("1", "f"), ("1", "f"), ("1", "s"), ("2", "s")]
    query = """
        SELECT extract(epoch FROM lead(jslstart) OVER (ORDER BY jslid) - jslstart - jslduration)::float8
          FROM pgagent.pga_jobsteplog ORDER BY jslid LIMIT 3"""
    delays = [delay for (delay,) in db.execute(query)]
    assert [delay > least for delay, least in zip(delays, (0.19, 0.59, 1.79), strict=True)] == [True] * 3
    assert db.execute("SELECT count(*) FROM pgagent.pga_joblog").fetchone() == (1,)


@pytest.mark.parametrize(
    ("on_error", "run", "last"), [("fail", "f", "f"), ("ignore", "s", "i"), ("success", "s", "s")]
)
def test_on_error_counts_after_the_last_try(
    database: str, db: Db, launcher: StartLauncher, on_error: str, run: str, last: str
) -> None:
    launcher(database)
    job = add_job(db, "failing", {"batch": "exit 3"})
    alter_steps(db, retries=2, retry_delay="0", on_error=on_error)
    assert run_to_end(db, job).status == run
    assert db.execute(TRIES).fetchall() == [("1", "f"), ("1", "f"), ("1", last)]


def test_late_run_is_skipped_and_the_log_says_so(database: str, db: Db, launcher: StartLauncher) -> None:
    late = add_job(db, "late", "SELECT 1", cron="0 4 * * *")
    in_time = add_job(db, "in time", "SELECT 1")
    for job in (late, in_time):
        alter_job(db, job, max_lateness="1 h")
    due = "UPDATE pgagent.pga_job SET jobnextrun = now() - %s::interval WHERE jobid = %s"
    db.execute(due, ["2 h", late])
    db.execute(due, ["1 min", in_time])
    launcher(database)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 's'", in_time)
    assert db.execute("SELECT jlgstatus FROM pgagent.pga_joblog WHERE jlgjobid = %s", [late]).fetchall() == [
        ("i",)
    ]
    query = """
        SELECT run_status, step_status, jslresult, jsloutput FROM pgagent_py.run_history WHERE jobid = %s"""
    ((run, step, result, output),) = db.execute(query, [late]).fetchall()
    assert (run, step, result) == ("no steps", "ignored", None)
    assert output.startswith("The run was skipped: it was due at ")
    assert output.endswith(" ago, and the job allows a lateness of 01:00:00.")
    assert ", 02:" in output
    query = "SELECT jobnextrun > now(), joblastrun, jobagentid FROM pgagent.pga_job WHERE jobid = %s"
    assert db.execute(query, [late]).fetchall() == [(True, None, None)]


def count_at_once(db: Db) -> int:
    """Return how many steps were in progress at the same time, at most."""
    query = """
        SELECT max((SELECT count(*) FROM pgagent.pga_jobsteplog o
                     WHERE o.jslstart <= l.jslstart AND o.jslstart + o.jslduration > l.jslstart))
          FROM pgagent.pga_jobsteplog l"""
    ((most,),) = db.execute(query).fetchall()
    return int(most)


@pytest.mark.parametrize("kind", ["class", "group"])
def test_places_are_exact_over_several_launchers(
    database: str, db: Db, launcher: StartLauncher, kind: str
) -> None:
    """Twenty due jobs, three places, three launchers: never more than three at once, nor fewer for long; all run."""
    db.execute(f"SELECT pgagent_py.set_limit(\"{kind}\" => 'Data Import', running => 3)".encode())
    db.execute("CREATE TABLE seen (running integer)")
    db.execute("SELECT pgagent_py.pause()")
    code = "INSERT INTO seen SELECT count(*) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL; SELECT pg_sleep(0.05)"
    for number in range(20):
        job = add_job(db, f"{number}", code)
        alter_job(db, job, **{kind: "Data Import"})
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
    for _ in range(3):
        launcher(database)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent HAVING count(*) = 3")
    db.execute("SELECT pgagent_py.resume()")
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgstatus = 's' HAVING count(*) = 20")
    assert db.execute("SELECT max(running) FROM seen").fetchone() == (3,)
    assert count_at_once(db) == 3
    assert db.execute("SELECT count(*) FROM pgagent.pga_joblog").fetchone() == (20,)
    assert db.execute("SELECT running_now FROM pgagent_py.limits").fetchall() == [(0,)]


def test_job_waits_for_a_place_that_another_launcher_frees(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    """The one that waits may run on this launcher only, which is asleep until the other tells it."""
    launcher(database, "-t", "600", "--workers", "1")
    db.execute("""SELECT pgagent_py.set_limit("group" => 'dump', running => 1)""")
    first, second = add_job(db, "first", "SELECT pg_sleep(600)"), add_job(db, "second", "SELECT 2")
    for job in (first, second):
        alter_job(db, job, group="dump")
    db.execute("SELECT pgagent_py.run_now(%s)", [first])
    (pid,) = wait_for_row(db, SLEEPING)
    launcher(database, "-t", "600")
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent HAVING count(*) = 2")
    db.execute("SELECT pgagent_py.run_now(%s)", [second])
    # An unlimited job is not held up by it
    assert run_to_end(db, add_job(db, "free", "SELECT 3")).status == "s"
    assert db.execute("SELECT count(*) FROM pgagent.pga_joblog WHERE jlgjobid = %s", [second]).fetchone() == (
        0,
    )
    db.execute("SELECT pg_cancel_backend(%s)", [pid])
    ended = "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 's'"
    wait_for_row(db, ended, second)


def test_place_of_a_cancelled_run_is_taken_at_once(database: str, db: Db, launcher: StartLauncher) -> None:
    """Nobody executes it: it waits for its next try, and is ended in the session that cancels it."""
    launcher(database, "-t", "600")
    db.execute("""SELECT pgagent_py.set_limit("group" => 'dump', running => 1)""")
    first, second = add_job(db, "first", "SELECT 1/0"), add_job(db, "second", "SELECT 2")
    alter_steps(db, retries=1, retry_delay="1 h")
    for job in (first, second):
        alter_job(db, job, group="dump")
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
    (run,) = wait_for_row(db, "SELECT jlgid FROM pgagent_py.run WHERE jslid IS NULL")
    (pid,) = wait_for_row(db, "SELECT jagpid FROM pgagent.pga_jobagent")
    asleep = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'idle' AND query LIKE '%%next_wake%%'"
    wait_for_row(db, asleep, pid)
    db.execute("LISTEN pgagent_py")
    db.execute("SELECT pgagent_py.cancel_run(%s)", [run])
    assert list(db.notifies(timeout=PATIENCE, stop_after=1)), (
        "nobody wakes the launcher: it would sleep half a minute"
    )
    ended = "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 's'"
    wait_for_row(db, ended, second)


def test_priority_decides_among_due_jobs(database: str, db: Db, launcher: StartLauncher) -> None:
    names = {"low": -1, "longest due": 0, "due": 0, "high": 5, "highest": 6}
    for number, (name, priority) in enumerate(names.items()):
        job = add_job(db, name, "SELECT 1")
        alter_job(db, job, priority=priority)
        due = "UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 min' * (10 - %s) WHERE jobid = %s"
        db.execute(due, [number, job])
    launcher(database, "--workers", "1")
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgstatus = 's' HAVING count(*) = 5")
    order = "SELECT jobname FROM pgagent.pga_job JOIN pgagent.pga_joblog ON jlgjobid = jobid ORDER BY jlgid"
    assert [name for (name,) in db.execute(order)] == ["highest", "high", "longest due", "due", "low"]


def test_job_is_disabled_after_failures_in_a_row(database: str, db: Db, launcher: StartLauncher) -> None:
    launcher(database)
    db.execute("CREATE SEQUENCE run")
    # Fails, fails, succeeds, then fails for ever
    job = add_job(db, "failing", "SELECT 1 / (nextval('run') = 3)::int", cron="0 4 * * *")
    alter_job(db, job, max_failures=3)
    state = "SELECT jobenabled, jobnextrun IS NOT NULL FROM pgagent.pga_job"
    for status in "ffsff":
        assert run_to_end(db, job).status == status
        assert db.execute(state).fetchall() == [(True, True)]
    assert run_to_end(db, job).status == "f"
    assert db.execute(state).fetchall() == [(False, False)]
    assert "The job was disabled: 3 runs in a row have failed." in str(db.execute(OUTPUT).fetchone())
    # Enabled again, it has three more
    alter_job(db, job, enabled=True)
    for _ in range(2):
        assert run_to_end(db, job).status == "f"
    assert db.execute(state).fetchall() == [(True, True)]


def test_job_is_deleted_after_success(database: str, db: Db, launcher: StartLauncher) -> None:
    launcher(database)
    db.execute("CREATE SEQUENCE run")
    job = add_job(db, "once", "SELECT 1 / (nextval('run') / 2)")
    alter_job(db, job, delete_on_success=True)
    assert run_to_end(db, job).status == "f"
    with psycopg.connect(database) as other:  # somebody looks at its step while it succeeds
        other.execute("SELECT FROM pgagent.pga_jobstep FOR SHARE")
        assert run_to_end(db, job).status == "s"
        assert db.execute("SELECT jobenabled, jobagentid FROM pgagent.pga_job").fetchall() == [(False, None)]
        # No other job has to wait for it
        assert run_to_end(db, add_job(db, "other", "SELECT 1")).status == "s"
    db.execute("SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job WHERE jobname = 'other'")
    only_other = "SELECT 1 FROM pgagent.pga_job HAVING count(*) = 1"
    wait_for_row(db, only_other)
    assert db.execute("SELECT jobname FROM pgagent.pga_job").fetchall() == [("other",)]
