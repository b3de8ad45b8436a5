"""Claims ahead of a free worker, with real launchers: short steps profit, and nobody else's step waits for long."""

from tests.conftest import StartLauncher
from tests.helpers import SLEEPING, Db, add_job, call, rows, value, wait_for
from tests.helpers.claims import note_claims

# Each step notes how many of its kind execute, and how many runs are in progress.
NOTE = """
INSERT INTO seen
SELECT (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND ltrim(query, E'\n') LIKE 'INSERT INTO seen%'),
       (SELECT count(*) FROM pgagent_py.run)"""
SLEEP = "SELECT pg_sleep(600)"
MAKE_DUE = "UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 min' * %s WHERE jobname = %s"
IN_PROGRESS = "SELECT count(*) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL"


def add_due_jobs(db: Db, name: str, code: str, count: int, minutes: int) -> None:
    """Add jobs that have been due for so long."""
    for _ in range(count):
        add_job(db, name, code)
    db.execute(MAKE_DUE, [minutes, name])


def short_then_long(db: Db, long: int) -> None:
    """Let short jobs be due, and behind them long ones."""
    db.execute("CREATE TABLE seen (executing integer, in_progress integer)")
    add_due_jobs(db, "short", NOTE, 100, 2)
    add_due_jobs(db, "long", SLEEP, long, 1)


def test_no_more_steps_run_than_there_are_workers_though_more_runs_are_in_progress(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    short_then_long(db, 0)
    launcher(database, "--workers", "3")
    wait_for(lambda: value(db, "SELECT count(*) FROM seen") == 100, what="the steps")
    assert value(db, "SELECT max(executing) FROM seen") <= 3
    assert value(db, "SELECT max(in_progress) FROM seen") > 3


def test_long_steps_that_were_claimed_ahead_are_handed_back_and_run_elsewhere(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    note_claims(db)
    short_then_long(db, 9)
    launcher(database, "--workers", "3")
    wait_for(
        lambda: len(rows(db, SLEEPING)) == 3 == value(db, IN_PROGRESS),
        what="a launcher with no more than its workers",
    )
    long_claims = "SELECT count(*) FROM claim JOIN pgagent.pga_job ON jobid = job WHERE jobname = 'long'"
    assert value(db, long_claims) > 3
    launcher(database, "--workers", "20")
    wait_for(lambda: len(rows(db, SLEEPING)) == 9 == value(db, IN_PROGRESS), what="all long steps")
    runs = "SELECT count(*) FROM pgagent.pga_joblog JOIN pgagent.pga_job ON jobid = jlgjobid WHERE jobname = 'long'"
    assert value(db, runs) == 9


def test_what_cannot_be_handed_back_waits_for_a_worker_and_can_be_cancelled(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    db.execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    db.execute("CREATE TRIGGER keep BEFORE DELETE ON pgagent.pga_joblog FOR EACH ROW EXECUTE FUNCTION keep()")
    short_then_long(db, 9)
    launcher(database, "--workers", "3")
    wait_for(lambda: len(rows(db, SLEEPING)) == 3, what="long steps on all workers")
    waiting = "SELECT jlgid FROM pgagent.pga_joblog WHERE jlgstatus = 'r' ORDER BY jlgid"
    *running, last = [run for (run,) in rows(db, waiting)]
    assert len(running) >= 3
    call(db, "cancel_run", last)
    status = "SELECT jlgstatus FROM pgagent.pga_joblog WHERE jlgid = %s"
    wait_for(lambda: value(db, status, last) == "d", what="the end of a run that waits")
    assert len(rows(db, SLEEPING)) == 3
    before = set(rows(db, SLEEPING))
    for run in running[:3]:
        call(db, "cancel_run", run)
    wait_for(lambda: set(rows(db, SLEEPING)) - before, what="the next steps")
