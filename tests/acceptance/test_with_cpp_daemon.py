"""The C++ daemon and our launchers serve one database at the same time: each due run happens once."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartLauncher
from tests.helpers import Cluster, Db, wait_for, wait_for_row

JOBS, ROUNDS = 12, 6


@pytest.fixture
def daemon(cluster: Cluster, db: Db, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Return a running pgagent daemon that looks for due jobs each second."""
    program = shutil.which("pgagent")
    assert program, "the Debian package pgagent is missing: make setup installs it"
    conninfo = f"host={cluster.directory} port={cluster.port} user=postgres dbname={db.info.dbname}"
    with (tmp_path / "daemon.log").open("wb") as log:
        process = subprocess.Popen([program, "-f", "-t", "1", "-l", "1", conninfo], stdout=log, stderr=log)
        wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent")
        yield process
        process.terminate()
        process.wait()


def add_jobs(db: Db) -> None:
    """Add jobs whose step notes which job's run it was, and by whose hand."""
    db.execute("CREATE TABLE effects (job integer, agent integer)")
    db.execute(
        """
        SELECT pgagent_py.add_job('job ' || n, cron => '0 3 1 1 *', sql => format(
               'INSERT INTO effects SELECT %%s, jobagentid FROM pgagent.pga_job WHERE jobname = %%L', n, 'job ' || n))
          FROM generate_series(1, %s) n""",
        [JOBS],
    )


def all_released(db: Db) -> bool:
    """Return whether no job is due or in progress."""
    query = "SELECT FROM pgagent.pga_job WHERE jobagentid IS NOT NULL OR jobnextrun <= clock_timestamp()"
    return not db.execute(query).fetchall()


def test_each_due_run_happens_once_with_both_at_work(
    daemon: subprocess.Popen[bytes], database: str, db: Db, launcher: StartLauncher
) -> None:
    add_jobs(db)
    for _ in range(2):
        launcher(database)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent HAVING count(*) = 3")
    for number in range(1, ROUNDS + 1):
        db.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
        wait_for(lambda: all_released(db), what="the end of all runs")
        per_job = db.execute("SELECT job, count(*) FROM effects GROUP BY job ORDER BY job").fetchall()
        assert per_job == [(job, number) for job in range(1, JOBS + 1)]
    runs = db.execute("SELECT jlgstatus, count(*) FROM pgagent.pga_joblog GROUP BY 1").fetchall()
    assert runs == [("s", JOBS * ROUNDS)]
    assert db.execute("SELECT bool_and(jobnextrun > now()) FROM pgagent.pga_job").fetchone() == (True,)
    assert daemon.poll() is None


def test_daemon_runs_jobs_by_our_rules(daemon: subprocess.Popen[bytes], db: Db) -> None:
    """With no launcher of ours it does all the work; the next run is ours all the same: minutes 0 and 30 of hour 3."""
    db.execute("SELECT pgagent_py.set_default_timezone('UTC')")
    db.execute("SELECT pgagent_py.add_job('x', cron => '0,30 3 * * *', sql => 'SELECT 1')")
    expected = db.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchone()
    db.execute("SELECT pgagent_py.run_now(1)")
    wait_for(lambda: all_released(db), what="the end of the run")
    assert db.execute("SELECT jlgstatus FROM pgagent.pga_joblog").fetchall() == [("s",)]
    assert db.execute("SELECT jobnextrun FROM pgagent.pga_job").fetchone() == expected
    assert daemon.poll() is None


def test_jobs_go_over_from_the_daemon_and_back(
    daemon: subprocess.Popen[bytes],
    database: str,
    db: Db,
    launcher: StartLauncher,
) -> None:
    """What the daemon leaves behind when it is killed in a step is closed by a launcher, which goes on with the job."""
    db.execute("SELECT pgagent_py.add_job('x', cron => '0 3 * * *', sql => 'SELECT pg_sleep(600)')")
    db.execute("SELECT pgagent_py.run_now(1)")
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobsteplog WHERE jslstatus = 'r'")
    daemon.kill()
    daemon.wait()
    db.execute("UPDATE pgagent.pga_jobstep SET jstcode = 'SELECT 1'")
    launcher(database)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgstatus = 'd'")
    assert db.execute("SELECT jslstatus FROM pgagent.pga_jobsteplog").fetchall() == [("d",)]
    wait_for(lambda: all_released(db), what="the job to be released")
    db.execute("SELECT pgagent_py.run_now(1)")
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgstatus = 's'")


def test_the_daemon_leaves_what_it_does_not_get_without_a_trace(
    daemon: subprocess.Popen[bytes], db: Db
) -> None:
    """Jobs with labels, an owner, a window, catch_up, or a step on an engine: at each look it tries to claim them."""
    names = "{nobody,labelled,owned,engine,comment,window,class,skip,all}"
    db.execute("SELECT pgagent_py.add_job(name, sql => 'SELECT 1') FROM unnest(%s::text[]) name", [names])
    db.execute(
        "SELECT pgagent_py.alter_job(2, labels => '{gpu}'), pgagent_py.alter_job(3, owner => 'postgres')"
    )
    db.execute("SELECT pgagent_py.add_step(4, 'last', batch => 'true', engine => 'ssh --host=nowhere')")
    db.execute("SELECT pgagent_py.add_step(5, 'last', batch => 'true', description => '@engine slurm')")
    db.execute("SELECT pgagent_py.add_window('always', duration => '1 h')")
    db.execute(
        "SELECT pgagent_py.alter_job(6, \"window\" => 'always'), pgagent_py.alter_job(7, class => 'Data Export')"
    )
    db.execute("SELECT pgagent_py.set_limit('Data Export', \"window\" => 'always')")
    db.execute(
        "SELECT pgagent_py.alter_job(8, catch_up => 'skip'), pgagent_py.alter_job(9, catch_up => 'all')"
    )
    for number in range(1, 4):
        db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 day' * jobid")
        wait_for_row(
            db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgstatus = 's' HAVING count(*) = %s", number
        )
        wait_for_row(db, "SELECT 1 FROM pgagent.pga_job WHERE jobid = 1 AND jobagentid IS NULL")
    assert db.execute("SELECT DISTINCT jlgjobid, jlgstatus FROM pgagent.pga_joblog").fetchall() == [(1, "s")]
    assert daemon.poll() is None
