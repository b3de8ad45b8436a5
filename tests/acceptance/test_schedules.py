"""Schedules beyond the five sets, run by a real launcher."""

from typing import Any

import psycopg

from tests.conftest import StartLauncher
from tests.helpers import wait_for_row

Db = psycopg.Connection[Any]

RUNS = "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 's' HAVING count(*) >= %s"


def test_reboot_job_runs_when_a_launcher_starts(db: Db, database: str, launcher: StartLauncher) -> None:
    db.execute("SELECT pgagent_py.add_job('warm up', cron => '@reboot', sql => 'SELECT 1')")
    assert db.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchall() == [(None,)]
    first = launcher(database)
    wait_for_row(db, RUNS, [1], timeout=30)
    first.terminate()
    launcher(database)
    wait_for_row(db, RUNS, [2], timeout=30)
    assert db.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchall() == [(None,)]


def test_job_runs_every_second(db: Db, database: str, launcher: StartLauncher) -> None:
    (job,) = db.execute("SELECT pgagent_py.add_job('tick', sql => 'SELECT 1')").fetchone() or (0,)
    db.execute("SELECT pgagent_py.add_schedule(%s, 's', every => '1 s')", [job])
    launcher(database)
    wait_for_row(db, RUNS, [3], timeout=30)
    repeated = "SELECT FROM pgagent.pga_joblog GROUP BY date_trunc('second', jlgstart) HAVING count(*) > 2"
    assert db.execute(repeated).fetchall() == []


def test_job_runs_at_its_instant_and_not_again(db: Db, database: str, launcher: StartLauncher) -> None:
    (job,) = db.execute("SELECT pgagent_py.add_job('once', sql => 'SELECT 1')").fetchone() or (0,)
    db.execute("SELECT pgagent_py.add_schedule(%s, 's', at => now() + interval '2 s')", [job])
    launcher(database)
    wait_for_row(db, RUNS, [1], timeout=30)
    early = "SELECT FROM pgagent.pga_joblog, pgagent_py.schedule_option WHERE jlgstart < jscat"
    assert db.execute(early).fetchall() == []
    assert db.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchall() == [(None,)]
