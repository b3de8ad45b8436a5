"""pg_dump and restore, pg_upgrade, a standby: all that the extension knows goes along."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import Cluster, Db, wait_for
from tests.helpers.filled_database import JOBS, NEWER, RUNS, behaviour, contents, empty_tables


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
    cluster: Cluster, db: Db, empty_database: str, tmp_path: Path, form: str
) -> None:
    db.execute(JOBS + RUNS + NEWER)
    db.execute("UPDATE pgagent_py.alive SET last_alive = NULL")  # of this database: no dump takes it along
    before, runs = contents(db), behaviour(db)
    assert len(runs) == 102
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


def test_a_schedule_in_a_time_zone_that_the_new_server_does_not_know_is_restored(
    cluster: Cluster, db: Db, empty_database: str, tmp_path: Path
) -> None:
    for name in ("gone", "known"):
        db.execute("SELECT pgagent_py.add_job(%s, cron => '0 3 * * *', timezone => 'Asia/Tokyo')", [name])
    db.execute(
        "UPDATE pgagent_py.schedule_option o SET jsctimezone = 'Atlantis/Capital'"
        "  FROM pgagent.pga_schedule s WHERE s.jscid = o.jscid AND s.jscname = 'gone'"
    )
    options = contents(db)["pgagent_py.schedule_option"]
    assert len(options) == 2
    dump = str(tmp_path / "dump")
    cluster.run("pg_dump", "--format=custom", "--file", dump, db.info.dbname)
    cluster.run("pg_restore", "--exit-on-error", "--dbname", empty_database, dump)
    with cluster.connect(empty_database) as restored:
        assert contents(restored)["pgagent_py.schedule_option"] == options
        nexts = "SELECT jobname, jobnextrun IS NULL FROM pgagent.pga_job ORDER BY jobname"
        assert restored.execute(nexts).fetchall() == [("gone", True), ("known", False)]
        errors = restored.execute("SELECT jobname, error FROM pgagent_py.problems").fetchall()
        assert [name for name, error in errors if "Atlantis/Capital" in error] == ["gone"]


def test_tables_that_are_dumped_have_their_sequences_dumped(db: Db) -> None:
    query = """
        WITH dumped AS (SELECT unnest(extconfig) AS oid FROM pg_extension WHERE extname = 'pgagent_py')
        SELECT d.objid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
         WHERE d.refobjid IN (SELECT oid FROM dumped) AND d.deptype IN ('a', 'i') AND d.objid NOT IN (SELECT oid FROM dumped)"""
    assert db.execute(query).fetchall() == []


def test_dump_of_the_schema_holds_nothing_but_the_extensions(cluster: Cluster, db: Db) -> None:
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
    cluster: Cluster, db: Db, empty_database: str, tmp_path: Path
) -> None:
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('x', sql => 'SELECT 1', cron => '0 3 * * *'))")
    assert len(db.execute("SELECT * FROM pgagent_py.run_due(1)").fetchall()) == 1
    dump = str(tmp_path / "dump")
    cluster.run("pg_dump", "--format=custom", "--file", dump, db.info.dbname)
    cluster.run("pg_restore", "--exit-on-error", "--dbname", empty_database, dump)

    def closed(restored: Db) -> bool:
        restored.execute("SELECT * FROM pgagent_py.run_due()")
        return restored.execute("SELECT jlgstatus FROM pgagent.pga_joblog").fetchall() == [("d",)]

    db.close()  # its backend's pid is that of the dumped agent
    with cluster.connect(empty_database) as restored:
        wait_for(lambda: closed(restored), what="the run of the former life to be closed")
        row = restored.execute("SELECT jobagentid, jobnextrun > now() FROM pgagent.pga_job").fetchone()
        assert row == (None, True)


def test_pg_upgrade_carries_everything_along(own_cluster: Cluster, scratch: Path) -> None:
    """To a server of the same version, since there is no other one here; the procedure is the same."""
    database = "pgagent_py_template"
    with own_cluster.connect(database) as db:
        db.execute(JOBS + RUNS + NEWER)
        before, runs = contents(db), behaviour(db)
        assert empty_tables(db) == []
    own_cluster.stop("fast")
    new = Cluster(Path(tempfile.mkdtemp(prefix="new", dir=scratch)))
    new.initialise()
    directory = new.directory / "upgrade"
    directory.mkdir()
    command = [
        new.bin_dir / "pg_upgrade", "--username=postgres", "--link", f"--socketdir={new.directory}",
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
