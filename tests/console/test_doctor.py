"""Each check of doctor finds what it is for, and nothing where all is well."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartLauncher
from tests.console.conftest import Ctl
from tests.helpers import Cluster, Db, Launcher, add_job, alter_job, call, rows, wait_for_row
from tests.helpers.pgbouncer import PgBouncer
from tests.helpers.protocol import Agent
from tests.helpers.waiting import wait_for_statistics

ILLS = """
SELECT pgagent_py.add_job('elsewhere', cron => '@daily', sql => 'SELECT 1', host => 'nowhere.example');
SELECT pgagent_py.add_job('gone', cron => '@daily', sql => 'SELECT 1', database => 'template1');
UPDATE pgagent.pga_jobstep SET jstdbname = 'no such database' WHERE jstname = 'gone';
SELECT pgagent_py.add_job('closed', cron => '@daily', sql => 'SELECT 1', database => 'template0');
SELECT pgagent_py.add_job('empty', cron => '@daily');
SELECT pgagent_py.add_job('unscheduled', sql => 'SELECT 1');
SELECT pgagent_py.add_job('february', cron => '0 0 30 2 *', sql => 'SELECT 1');
SELECT pgagent_py.add_window('never', '0 0 30 2 *', duration => '1 h');
SELECT pgagent_py.alter_job(pgagent_py.add_job('shut', cron => '0 3 * * *', sql => 'SELECT 1'), "window" => 'never');
SELECT pgagent_py.add_job('slow', cron => '* * * * *', sql => 'SELECT 1');
INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration) SELECT pgagent_py.job_id('slow'), 's', now(), '5 min';
INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
SELECT pgagent_py.job_id('unscheduled'), 'f', now(), '1 s' FROM generate_series(1, 3);
UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 h' WHERE jobname = 'empty';
INSERT INTO pgagent_py.queued_message (qmsjobid, qmsjlgid, qmskind, qmstarget, qmsdata, qmsnotbefore)
VALUES (1, 1, 'email', 'x@example.org', '{}', NULL);
CREATE TABLE pgagent.loose (a integer);
CREATE PUBLICATION doctor FOR TABLE pgagent.loose;
ALTER TABLE pgagent.pga_job DISABLE TRIGGER pga_job_trigger;
SELECT setval('pgagent.pga_joblog_jlgid_seq', 2000000000);
SELECT pgagent_py.set_default_timezone('Asia/Kathmandu');
"""
REPORTED = "SELECT l.host FROM pgagent_py.launchers l WHERE l.skew IS NOT NULL"


def found(ctl: Ctl, **environment: str) -> dict[str, list[str]]:
    """Return what doctor finds, by check."""
    by_check: dict[str, list[str]] = {}
    done = ctl.run("--json", "doctor", **environment)
    document = json.loads(done.stdout)
    assert document["unchecked"] == []
    assert done.returncode == any(finding["level"] == "bad" for finding in document["findings"])
    for finding in document["findings"]:
        assert finding["remedy"]
        by_check.setdefault(finding["check"], []).append(finding["what"])
    return by_check


def test_a_sound_database_is_well(ctl: Ctl, db: Db, launcher: StartLauncher) -> None:
    launcher(ctl.conninfo)
    wait_for_row(db, REPORTED)
    add_job(db, "j", cron="0 3 * * *", sql="SELECT 1")
    add_job(db, "b", cron="0 3 * * *", batch="true")
    call(db, "run_now", job=1)
    wait_for_row(db, "SELECT FROM pgagent.pga_joblog WHERE jlgstatus = 's'")
    assert ctl("doctor").splitlines()[-1] == "all is well"
    assert ctl.json("doctor") == {"findings": [], "unchecked": []}


def test_each_ill_is_found_with_its_remedy(ctl: Ctl, db: Db, launcher: StartLauncher) -> None:
    for statement in ILLS.strip().split(";\n"):
        db.execute(statement.encode())
    ills = found(ctl)
    assert set(ills) == {
        "no launcher", "databases", "no steps", "no schedule", "never fires", "window never opens", "longer than the interval",
        "failing",
        "publication", "problems", "log ids", "time zone", "pgAgent differs", "late jobs", "unsent messages",
    }  # fmt: skip
    assert [what.partition(": database ")[2] for what in ills["databases"]] == [
        "no such database does not exist",
        "template0 allows no connections",
    ]
    assert len(ills["window never opens"]) == 1
    assert ills["window never opens"][0].startswith('job "shut" ')
    db.execute("ALTER TABLE pgagent.pga_job ENABLE TRIGGER pga_job_trigger")
    launcher(ctl.conninfo)
    wait_for_row(db, "SELECT FROM pgagent_py.launchers")
    assert "host without launcher" in found(ctl)
    db.execute("DROP PUBLICATION doctor")
    db.execute("DROP TABLE pgagent.loose")
    assert rows(db, "SELECT FROM pgagent_py.launchers")


def test_a_job_that_no_launcher_may_take_is_found(ctl: Ctl, db: Db, launcher: StartLauncher) -> None:
    """For want of a label; since when is told, too."""
    launcher(ctl.conninfo, "--label=cpu")
    wait_for_row(db, "SELECT FROM pgagent_py.launchers")
    job = add_job(db, "picky", cron="0 3 1 1 *", sql="SELECT 1")
    call(db, "alter_job", job, labels=["gpu"])
    call(db, "run_now", job)
    (finding,) = ctl.json("doctor", status=1)["findings"]
    assert re.fullmatch(
        rf'job "picky" \({job}\) has waited since .*: no living launcher that has label gpu', finding["what"]
    )


@pytest.fixture
def roles(db: Db) -> Iterator[list[str]]:
    """Return roles of the server's that may have jobs; they go with their jobs."""
    names = ["doctor_shut", "doctor_full", "doctor_out"]
    for name in names:
        db.execute(f"CREATE ROLE {name} LOGIN IN ROLE pgagent_py_user".encode())
    yield names
    db.execute("TRUNCATE pgagent.pga_job CASCADE")
    db.execute("DROP DATABASE IF EXISTS doctor_closed")
    for name in names:
        db.execute(f"DROP ROLE {name}".encode())


def test_logins_that_are_refused_are_found(
    ctl: Ctl, db: Db, launcher: StartLauncher, roles: list[str]
) -> None:
    """By the catalog before anything has run; and by what launchers report, in the words of the server."""
    db.execute("CREATE DATABASE doctor_closed")
    db.execute("REVOKE CONNECT ON DATABASE doctor_closed FROM PUBLIC")
    for name in roles:
        alter_job(db, job=add_job(db, name, cron="0 3 * * *", sql="SELECT 1"), owner=name)
    add_job(db, "far", cron="0 3 * * *")
    db.execute(
        "SELECT pgagent_py.add_step(pgagent_py.job_id('far'), 's', sql => 'SELECT 1',"
        " connstr => 'host=127.0.0.1 port=1 dbname=x password=geheim')"
    )
    db.execute("UPDATE pgagent.pga_jobstep SET jstdbname = 'doctor_closed' WHERE jstname = 'doctor_out'")
    db.execute("ALTER ROLE doctor_shut NOLOGIN")
    db.execute("ALTER ROLE doctor_full CONNECTION LIMIT 0")
    ills = found(ctl)
    assert [what.partition("role ")[2] for what in ills["roles"]] == [
        "doctor_shut, which may not log in",
        "doctor_full, which may have no connection",
    ]
    (closed,) = ills["databases"]
    assert closed.endswith("database doctor_closed does not let role doctor_out connect")
    launcher(ctl.conninfo)
    db.execute("SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job")
    wait_for_row(db, "SELECT FROM pgagent_py.refusals HAVING count(*) = 4")
    refused = " | ".join(found(ctl)["refused connections"])
    for words in (
        "not permitted to log in",
        "too many connections for role",
        "permission denied for database",
        "refused",
    ):
        assert words in refused
    assert "geheim" not in refused
    db.execute("ALTER ROLE doctor_full CONNECTION LIMIT -1")
    wait_for_row(db, "SELECT FROM pgagent_py.refusals HAVING count(*) = 3")


@pytest.fixture
def other_launcher(tmp_path: Path) -> Iterator[Any]:
    """Return the function that starts pgagent-py by another program."""
    started: list[Launcher] = []

    def start(program: tuple[str, ...], *arguments: str, **environment: str) -> None:
        home = tmp_path / f"other{len(started)}"
        home.mkdir()
        found = shutil.which("pgagent-py")
        assert found
        started.append(Launcher(home, arguments, environment, (*program, found)))

    yield start
    for process in started:
        process.clean_up()


def test_hosts_are_found_that_are_not_as_they_should_be(
    ctl: Ctl, cluster: Cluster, db: Db, tmp_path: Path, other_launcher: Any
) -> None:
    """A clock that is wrong, a service that lets batch steps do less, too many places, a daemon beside, a pooler."""
    add_job(db, "b", cron="0 3 * * *", batch="true")
    library = str(next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")))
    fake = {"LD_PRELOAD": library, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    pooler = PgBouncer(cluster, tmp_path / "pgbouncer", "session")
    program = shutil.which("pgagent")
    assert program
    db.execute("CREATE ROLE doctor_daemon LOGIN SUPERUSER")
    db.execute("ALTER ROLE doctor_daemon SET timezone = 'Asia/Kathmandu'")
    daemon = subprocess.Popen(
        [
            program,
            "-f",
            f"host={cluster.directory} port={cluster.port} user=doctor_daemon dbname={db.info.dbname}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        other_launcher(("setpriv", "--no-new-privs"), "--host", "hard", ctl.conninfo)
        other_launcher((), "--host", "early", "--workers", "300", ctl.conninfo, **fake, FAKETIME="-1h")
        other_launcher((), "--host", "pooled", pooler.conninfo(db.info.dbname))
        agent = Agent(ctl.conninfo, "old")  # says no version, as one before 1.1
        wait_for_row(db, REPORTED + " GROUP BY ROLLUP (1) HAVING count(*) = 3")
        wait_for_row(db, "SELECT FROM pgagent_py.launchers WHERE kind = 'pgagent'")
        ills = found(ctl)
        (clock,) = ills["clock of a launcher"]
        assert clock.startswith("the clock of early is ")
        assert clock.endswith(" seconds behind that of the server")
        assert ills["unit hardening"] == [
            "batch steps on hard are hindered by NoNewPrivileges of the launcher's service"
        ]
        assert ills["pooler"] == ["the launcher on pooled works through a connection pooler"]
        assert "on old is of version before 1.1" in ills["versions"][0]
        assert len(ills["versions"]) == 1
        assert "connection slots" in ills
        assert "daemon and launcher" in ills
        (zone,) = ills["time zone of the daemon"]
        assert zone.endswith("(role doctor_daemon) is Asia/Kathmandu")
        db.execute("UPDATE pgagent_py.agent SET jagversion = '9.9.0' WHERE agent = %s", [agent.agent])
        db.execute("UPDATE pg_extension SET extversion = '1.0.0' WHERE extname = 'pgagent_py'")
        ills = found(ctl)
        assert "on old is of version 9.9.0, the extension of 1." in ills["versions"][0]
        assert ills["version"][0].endswith("is installed on this server, the database has 1.0.0")
        agent.close()
        assert "clocks" in found(ctl, **fake, FAKETIME="+1h")
    finally:
        daemon.terminate()
        daemon.wait()
        pooler.stop()
        db.execute("DROP ROLE doctor_daemon")


def test_a_long_log_and_what_is_left_of_it_are_found(ctl: Ctl, db: Db) -> None:
    add_job(db, "j", cron="0 3 * * *", sql="SELECT 1")
    db.execute("ALTER TABLE pgagent.pga_joblog SET (autovacuum_enabled = off)")
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute(
            "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) SELECT 1, 's' FROM generate_series(1, 101000)"
        )
    wait_for_statistics(db)
    db.execute("ANALYZE pgagent.pga_joblog")
    assert "large log" in found(ctl)
    db.execute("SELECT pgagent_py.set_retention(keep_for => '90 days')")
    assert "large log" not in found(ctl)
    with db.transaction():
        db.execute("SET LOCAL session_replication_role = replica")
        db.execute("DELETE FROM pgagent.pga_joblog")
    wait_for_statistics(db)
    wait_for_row(
        db,
        "SELECT FROM pg_stat_all_tables WHERE relname = 'pga_joblog' AND n_dead_tup > 100000 AND n_live_tup = 0",
    )
    assert "bloat" in found(ctl)


def test_a_role_that_may_not_look_is_told_what_was_not_checked(
    ctl: Ctl, cluster: Cluster, db: Db, launcher: StartLauncher, roles: list[str]
) -> None:
    """And of nothing that it can't see it is said that it is not there."""
    launcher(ctl.conninfo)
    wait_for_row(db, REPORTED)
    ctl.conninfo = cluster.conninfo(db.info.dbname, user=roles[0])
    owner = ctl.json("doctor")["unchecked"]
    assert {"large log", "log ids", "connection slots", "pgAgent differs"} <= set(owner)
    assert "no launcher" not in owner
    assert ctl("doctor").splitlines()[-1] == "all else is well"
    assert [row["kind"] for row in ctl.json("status")["launchers"]] == ["pgagent-py"]
    db.execute(f"REVOKE pgagent_py_user FROM {roles[0]}".encode())
    stranger = ctl.json("doctor")
    assert stranger["findings"] == []
    assert {"no launcher", "host without launcher", "pooler", *owner} <= set(stranger["unchecked"])
    shown = ctl("status")
    assert "launchers: this role may not see them" in shown
    assert "paused: this role may not see them" in shown
    assert [ctl.json("status")[name] for name in ("launchers", "paused")] == [None, None]
    assert "may not see launchers" in ctl("drain", "anywhere", status=3)
