"""Schedules beyond the five sets, run by a real launcher."""

import signal

import psycopg

from tests.conftest import StartLauncher
from tests.helpers import Db, wait_for, wait_for_row

RUNS = "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 's' HAVING count(*) >= %s"


def test_reboot_job_runs_when_a_launcher_starts(db: Db, database: str, launcher: StartLauncher) -> None:
    db.execute("SELECT pgagent_py.add_job('warm up', cron => '@reboot', sql => 'SELECT 1')")
    assert db.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchall() == [(None,)]
    first = launcher(database)
    wait_for_row(db, RUNS, 1)
    first.terminate()
    launcher(database)
    wait_for_row(db, RUNS, 2)
    assert db.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchall() == [(None,)]


def test_reboot_job_does_not_run_when_a_launcher_comes_back(
    db: Db, database: str, launcher: StartLauncher
) -> None:
    """Not even after so long that another launcher has struck it off the list."""
    db.execute("SELECT pgagent_py.add_job('warm up', cron => '@reboot', sql => 'SELECT 1')")
    away = launcher(database)
    wait_for_row(db, RUNS, 1)
    away.signal(signal.SIGSTOP)
    launcher(database)
    wait_for_row(db, RUNS, 2)
    ((former,),) = db.execute("SELECT agent FROM pgagent_py.agent ORDER BY backend_start LIMIT 1").fetchall()
    db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent_py.agent WHERE agent = %s", [former])
    known = "SELECT FROM pgagent_py.agent WHERE agent = %s"
    wait_for(lambda: not db.execute(known, [former]).fetchall())
    away.signal(signal.SIGCONT)
    wait_for_row(db, known.replace("FROM", "1 FROM"), former)
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('later', sql => 'SELECT 1'))")
    wait_for_row(db, RUNS, 3)
    names = "SELECT jobname FROM pgagent.pga_job JOIN pgagent.pga_joblog ON jlgjobid = jobid ORDER BY jlgid"
    assert [name for (name,) in db.execute(names)] == ["warm up", "warm up", "later"]


def test_locked_reboot_job_holds_up_nobody_and_runs_later(
    db: Db, database: str, launcher: StartLauncher
) -> None:
    db.execute("SELECT pgagent_py.add_job('warm up', cron => '@reboot', sql => 'SELECT 1')")
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('other', sql => 'SELECT 1'))")
    with psycopg.connect(database) as session:
        session.execute("SELECT FROM pgagent.pga_job WHERE jobname = 'warm up' FOR UPDATE")
        launcher(database, "-t", "1")
        wait_for_row(db, RUNS, 1)
    wait_for_row(db, RUNS, 2)
    db.execute("SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job WHERE jobname = 'other'")
    wait_for_row(db, RUNS, 3)
    names = "SELECT jobname FROM pgagent.pga_job JOIN pgagent.pga_joblog ON jlgjobid = jobid ORDER BY jlgid"
    assert [name for (name,) in db.execute(names)] == ["other", "warm up", "other"]


def test_job_runs_every_second(db: Db, database: str, launcher: StartLauncher) -> None:
    (job,) = db.execute("SELECT pgagent_py.add_job('tick', sql => 'SELECT 1')").fetchone() or (0,)
    db.execute("SELECT pgagent_py.add_schedule(%s, 's', every => '1 s')", [job])
    launcher(database)
    wait_for_row(db, RUNS, 3)
    repeated = "SELECT FROM pgagent.pga_joblog GROUP BY date_trunc('second', jlgstart) HAVING count(*) > 2"
    assert db.execute(repeated).fetchall() == []


def test_job_runs_at_its_instant_and_not_again(db: Db, database: str, launcher: StartLauncher) -> None:
    (job,) = db.execute("SELECT pgagent_py.add_job('once', sql => 'SELECT 1')").fetchone() or (0,)
    db.execute("SELECT pgagent_py.add_schedule(%s, 's', at => now() + interval '4 s')", [job])
    launcher(database)
    wait_for_row(db, RUNS, 1)
    early = "SELECT FROM pgagent.pga_joblog, pgagent_py.schedule_option WHERE jlgstart < jscat"
    assert db.execute(early).fetchall() == []
    assert db.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchall() == [(None,)]
