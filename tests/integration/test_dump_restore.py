"""pg_dump and restore, pg_upgrade, a standby: all that the extension knows goes along."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.helpers import Cluster, wait_for

JOBS = """
    SELECT pgagent_py.set_default_timezone('Europe/Paris');
    SELECT pgagent_py.add_job('nightly', cron => '0 3 * * *', sql => 'SELECT 1', class => 'Data Export');
    SELECT pgagent_py.add_job('elsewhere', cron => '30 9 * * mon', timezone => 'Asia/Kathmandu', batch => 'true');
    SELECT pgagent_py.add_job('either', cron => '0 12 13 * fri');
    SELECT pgagent_py.add_job('off', cron => '@daily', enabled => false);
    SELECT pgagent_py.add_job('never') AS never;
    SELECT pgagent_py.add_step(jobid, 'atomic', sql => 'SELECT 2', atomic => true) FROM pgagent.pga_job WHERE jobname = 'never';
    SELECT pgagent_py.add_exception(jscid, (jobnextrun AT TIME ZONE 'Europe/Paris')::date)
      FROM pgagent.pga_schedule JOIN pgagent.pga_job ON jobid = jscjobid WHERE jobname = 'nightly';
    SELECT pgagent_py.add_schedule(pgagent_py.add_job('polled'), 'polled', every => '7 h', start => '2026-01-01 00:00:00.25Z');
    SELECT pgagent_py.add_schedule(pgagent_py.add_job('once'), 's', at => '2040-02-03 04:05:06Z');
    SELECT pgagent_py.add_job('warm up', cron => '@reboot');
    SELECT pgagent_py.add_calendar('holidays', '{2027-01-04,2027-01-07}');
    SELECT pgagent_py.add_calendar('winter', '{2027-01-05}', 'cold');
    SELECT pgagent_py.attach_calendar(jscid, 'holidays') FROM pgagent.pga_schedule WHERE jscname IN ('polled', 'elsewhere');
    SELECT pgagent_py.attach_calendar(jscid, 'winter', only_days => true) FROM pgagent.pga_schedule WHERE jscname = 'off';
    SELECT pgagent_py.add_dependency(o.jobid, n.jobid, 'finish') FROM pgagent.pga_job o, pgagent.pga_job n
     WHERE (o.jobname, n.jobname) IN (('once', 'never'), ('polled', 'once'));
    SELECT pgagent_py.alter_job(jobid, parameters => '{"a": [1.50, "é"]}', timeout => '1 h', max_lateness => '2 d', priority => 3,
           "group" => 'g', max_failures => 2) FROM pgagent.pga_job WHERE jobname = 'polled';
    SELECT pgagent_py.alter_step(jstid, timeout => '1 min', retries => 2) FROM pgagent.pga_jobstep WHERE jstname = 'atomic';
    SELECT pgagent_py.set_limit("group" => 'g', running => 2), pgagent_py.set_limit('Data Export', running => 1);
    SELECT pgagent_py.pause('Data Import');
    INSERT INTO pgagent.pga_jobclass (jclname) VALUES ('Our own');
    SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job WHERE jobname = 'nightly';
    SELECT * FROM pgagent_py.run_due();
"""
# Fills what JOBS leaves empty. "ordered" is due, but not for a session: it has a batch step.
RUNS = """
    SELECT pgagent_py.add_dependency(w.jobid, after => j.jobid)
      FROM pgagent.pga_job w, pgagent.pga_job j WHERE w.jobname = 'warm up' AND j.jobname IN ('nightly', 'off');
    SELECT pgagent_py.run_now(jobid, parameters => '{"what": 1}') FROM pgagent.pga_job WHERE jobname = 'nightly';
    SELECT * FROM pgagent_py.run_due();
    SELECT pgagent_py.run_now(pgagent_py.add_job('ordered', batch => 'true'), parameters => '{"what": 2}');
    SELECT pgagent_py.add_message(NULL, 'email', 'dba@example.org');
"""
# All rows, in text form, of pgagent's tables and ours
TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('pgagent', 'pgagent_py') AND c.relkind = 'r' ORDER BY 1"""


def contents(db: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Return the rows of all tables of both extensions."""
    names = [name for (name,) in db.execute(TABLES)]
    return {
        name: sorted(str(row[0]) for row in db.execute(f"SELECT t::text FROM {name} t".encode()))
        for name in names
    }


def empty_tables(db: psycopg.Connection[Any]) -> list[str]:
    """Return the names of those tables of ours that pg_dump takes along and that hold no row."""
    query = """
        SELECT format('%I.%I', c.relnamespace::regnamespace, c.relname)
          FROM pg_extension e JOIN pg_class c ON c.oid = ANY (e.extconfig) AND c.relkind = 'r'
         WHERE e.extname = 'pgagent_py'"""
    held = contents(db)
    return [name for (name,) in db.execute(query) if not held[name]]


def behaviour(db: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Return the runs that all jobs have before them."""
    query = """
        SELECT j.jobname, r.* FROM pgagent.pga_job j, pgagent_py.next_runs(j.jobid, 20, '2027-01-01') WITH ORDINALITY r
         ORDER BY 1, 3"""
    return db.execute(query).fetchall()


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[str]:
    """Return the name of a database to restore into, whose time zone is another one."""
    with cluster.connect() as db:
        db.execute("CREATE DATABASE restored TEMPLATE template0")
        db.execute("ALTER DATABASE restored SET timezone = 'Pacific/Chatham'")
        yield "restored"
        db.execute("DROP DATABASE restored WITH (FORCE)")


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_restored_database_runs_as_the_old_one(
    cluster: Cluster, db: psycopg.Connection[Any], empty_database: str, tmp_path: Path, form: str
) -> None:
    db.execute(JOBS + RUNS)
    before, runs = contents(db), behaviour(db)
    assert len(runs) == 82
    assert empty_tables(db) == []
    dump = str(tmp_path / "dump")
    cluster.run("pg_dump", f"--format={form}", "--file", dump, db.info.dbname)
    if form == "plain":
        cluster.run(
            "psql", "--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-d", empty_database, "-f", dump
        )
    else:
        cluster.run("pg_restore", "--exit-on-error", "--dbname", empty_database, dump)
    with cluster.connect(empty_database) as restored:
        restored.execute("SET timezone = 'UTC'")
        assert contents(restored) == before
        assert behaviour(restored) == runs
        assert restored.execute("SELECT pgagent_py.default_timezone()").fetchone() == ("Europe/Paris",)
        # ... and runs, also what is added to it; the sequences go on where they were
        restored.execute("SELECT pgagent_py.add_job('new', sql => 'SELECT 1')")
        restored.execute(
            "UPDATE pgagent.pga_jobstep SET jstdbname = current_database() WHERE jstname = 'nightly'"
        )
        restored.execute("UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobname IN ('new', 'nightly')")
        done = restored.execute("SELECT jobname, jslstatus FROM pgagent_py.run_due() ORDER BY 1").fetchall()
        assert done == [("new", "s"), ("nightly", "s")]


def test_tables_that_are_dumped_have_their_sequences_dumped(db: psycopg.Connection[Any]) -> None:
    query = """
        WITH dumped AS (SELECT unnest(extconfig) AS oid FROM pg_extension WHERE extname = 'pgagent_py')
        SELECT d.objid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
         WHERE d.refobjid IN (SELECT oid FROM dumped) AND d.deptype IN ('a', 'i') AND d.objid NOT IN (SELECT oid FROM dumped)"""
    assert db.execute(query).fetchall() == []


def test_dump_of_the_schema_holds_nothing_but_the_extensions(
    cluster: Cluster, db: psycopg.Connection[Any]
) -> None:
    """What hangs on pgagent's tables comes with CREATE EXTENSION, and is not made a second time."""
    dump = cluster.run("pg_dump", "--schema-only", db.info.dbname).stdout
    created = [line for line in dump.splitlines() if line.startswith(("CREATE", "ALTER"))]
    assert sorted(line.split()[5] for line in created if line.startswith("CREATE EXTENSION")) == [
        "pgagent",
        "pgagent_py",
        "plpython3u",
    ]
    # PL/Python's own schema-less members and pgagent's schema are no news; of ours there may be nothing
    assert [
        line for line in created if "pgagent_py" in line and not line.startswith("CREATE EXTENSION")
    ] == []
    assert [line for line in created if "TRIGGER" in line or "INDEX" in line] == []


def test_run_that_was_dumped_as_running_is_closed(
    cluster: Cluster, db: psycopg.Connection[Any], empty_database: str, tmp_path: Path
) -> None:
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('x', sql => 'SELECT 1', cron => '0 3 * * *'))")
    assert len(db.execute("SELECT * FROM pgagent_py.run_due(1)").fetchall()) == 1
    dump = str(tmp_path / "dump")
    cluster.run("pg_dump", "--format=custom", "--file", dump, db.info.dbname)
    cluster.run("pg_restore", "--exit-on-error", "--dbname", empty_database, dump)

    def closed(restored: psycopg.Connection[Any]) -> bool:
        restored.execute("SELECT * FROM pgagent_py.run_due()")
        return restored.execute("SELECT jlgstatus FROM pgagent.pga_joblog").fetchall() == [("d",)]

    db.close()  # its backend's pid is that of the dumped agent
    with cluster.connect(empty_database) as restored:
        wait_for(lambda: closed(restored), 30, "the run of the former life to be closed")
        row = restored.execute("SELECT jobagentid, jobnextrun > now() FROM pgagent.pga_job").fetchone()
        assert row == (None, True)


def test_pg_upgrade(own_cluster: Cluster, scratch: Path) -> None:
    """To a server of the same version, since there is no other one here; the procedure is the same."""
    database = "pgagent_py_template"
    with own_cluster.connect(database) as db:
        db.execute(JOBS + RUNS)
        before, runs = contents(db), behaviour(db)
        assert empty_tables(db) == []
    own_cluster.stop("fast")
    new = Cluster(Path(tempfile.mkdtemp(prefix="new", dir=scratch)))
    new.initialise()
    directory = new.directory / "upgrade"
    directory.mkdir()
    command = [
        new.bin_dir / "pg_upgrade", "--username=postgres", "--no-sync", "--link", f"--socketdir={new.directory}",
        "-b", new.bin_dir, "-B", new.bin_dir, "-d", own_cluster.pgdata, "-D", new.pgdata,
        "-p", str(own_cluster.port), "-P", str(new.port),
    ]  # fmt: skip
    done = subprocess.run(
        list(map(str, command)), cwd=directory, env=os.environ | {"LC_ALL": "C.UTF-8"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    new.start()
    try:
        with new.connect(database) as db:
            assert contents(db) == before
            assert behaviour(db) == runs
            db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobname = 'nightly'")
            assert db.execute("SELECT jslstatus FROM pgagent_py.run_due()").fetchall() == [("s",)]
            # What hangs on pgagent's tables is still ours
            db.execute("DROP EXTENSION pgagent_py")
            left = db.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgagent_py%'").fetchall()
            assert left == []
            assert db.execute("SELECT to_regclass('pgagent.pgagent_py_due')").fetchone() == (None,)
    finally:
        new.stop("immediate")


def test_standby_answers_and_runs_nothing(own_cluster: Cluster, scratch: Path) -> None:
    database = "pgagent_py_template"
    with own_cluster.connect(database) as db:
        db.execute(JOBS)
        db.execute("SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job WHERE jobname = 'nightly'")
        runs = behaviour(db)
    standby = Cluster(Path(tempfile.mkdtemp(prefix="standby", dir=scratch)))
    own_cluster.run("pg_basebackup", "-D", str(standby.pgdata), "--checkpoint=fast", "--write-recovery-conf")
    standby.start()
    try:
        with standby.connect(database) as db:
            assert db.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
            assert behaviour(db) == runs
            assert db.execute("SELECT * FROM pgagent_py.run_due()").fetchall() == []
            assert db.execute("SELECT * FROM pgagent_py.run_due(5)").fetchall() == []
        standby.run("psql", "-d", database, "-c", "SELECT pg_promote()")
        with standby.connect(database) as db:
            assert db.execute("SELECT jslstatus FROM pgagent_py.run_due()").fetchall() == [("s",)]
    finally:
        standby.stop("immediate")
