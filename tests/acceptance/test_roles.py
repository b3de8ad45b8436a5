"""A launcher that is no superuser runs the jobs of roles whose passwords it may or may not have."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import psycopg.sql
import pytest
from psycopg.conninfo import make_conninfo

from tests.conftest import StartLauncher
from tests.helpers import Cluster, Db, value, wait_for

PASSWORDS = {
    "starter": "the launcher's secret",
    "alice": "alice's secret",
    "reporting": "x",
    "bob": "the launcher's secret",
}

HBA = """
local all postgres trust
local all all scram-sha-256
"""


@pytest.fixture
def server(own_cluster: Cluster) -> Cluster:
    """Return a server with password roles: starter may run a launcher, alice and bob have jobs, alice is in reporting, too.

    bob's password happens to be the launcher's: where bob gets in, the launcher has used its own password for him.
    """
    cluster = own_cluster
    with cluster.connect() as db:
        db.execute("CREATE DATABASE jobs TEMPLATE pgagent_py_template")
        db.execute("CREATE DATABASE other")
        for role, password in PASSWORDS.items():
            db.execute(psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                psycopg.sql.Identifier(role), password))  # fmt: skip
        db.execute("GRANT pgagent_py_launcher TO starter")
        db.execute("GRANT pgagent_py_user TO alice, bob")
        db.execute("GRANT reporting TO alice")
    (cluster.pgdata / "pg_hba.conf").write_text(HBA)
    with cluster.connect() as db:
        db.execute("SELECT pg_reload_conf()")
    return cluster


@pytest.fixture
def admin(server: Cluster) -> Iterator[Db]:
    with server.connect("jobs") as connection:
        yield connection


@pytest.fixture
def alice(server: Cluster) -> Iterator[Db]:
    with psycopg.connect(
        server.conninfo("jobs", user="alice", password=PASSWORDS["alice"]), autocommit=True
    ) as db:
        yield db


@pytest.fixture
def bob(server: Cluster) -> Iterator[Db]:
    with psycopg.connect(
        server.conninfo("jobs", user="bob", password=PASSWORDS["bob"]), autocommit=True
    ) as db:
        yield db


def passfile(tmp_path: Path, *roles: str) -> Path:
    """Write a password file with these roles' passwords."""
    file = tmp_path / "passwords"
    file.write_text("".join(f"*:*:*:{role}:{PASSWORDS[role]}\n" for role in roles))
    file.chmod(0o600)
    return file


def run_job(db: Db, job: int, admin: Db) -> list[tuple[str, str]]:
    """Have a job run now; return status and output of its steps."""
    before = value(admin, "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgjobid = %s", job)
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    ended = "SELECT count(*) > %s FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus <> 'r'"
    wait_for(lambda: value(admin, ended, before, job), what=f"the run of job {job}")
    return admin.execute(
        """SELECT l.jslstatus, l.jsloutput FROM pgagent.pga_jobsteplog l
            WHERE l.jsljlgid = (SELECT max(r.jlgid) FROM pgagent.pga_joblog r WHERE r.jlgjobid = %s) ORDER BY l.jslid""", [job],
    ).fetchall()  # fmt: skip


WHO = "DO $$ BEGIN RAISE NOTICE 'I am %/% in %', session_user, current_user, current_database(); END $$"


def test_steps_log_in_as_the_owner(
    server: Cluster, admin: Db, alice: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    rights = value(
        admin,
        """SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'pgagent'::regnamespace AND c.relkind = 'r'
                              AND has_table_privilege('starter', c.oid, 'SELECT, INSERT, UPDATE, DELETE')""",
    )
    assert rights == 0
    started = launcher(server.conninfo("jobs", user="starter"), "-l", "2",
                       env={"PGPASSFILE": str(passfile(tmp_path, "starter", "alice", "reporting"))})  # fmt: skip
    started.wait_for_log("action=serve")

    unowned = value(admin, "SELECT pgagent_py.add_job('unowned', sql => %s)", WHO)
    admin.execute("SELECT pgagent_py.add_step(%s, 'x atomic', sql => %s, atomic => true)", [unowned, WHO])
    for status, output in run_job(admin, unowned, admin):
        assert (status, "I am starter/starter in jobs" in output) == ("s", True), output

    owned = value(alice, "SELECT pgagent_py.add_job('mine')")
    for name, options in (
        ("1 here", ""),
        ("2 there", ", database => 'other'"),
        ("3 atomic", ", atomic => true"),
    ):
        alice.execute(f"SELECT pgagent_py.add_step({owned}, '{name}', sql => %s{options})".encode(), [WHO])
    steps = run_job(alice, owned, admin)
    assert [status for status, _ in steps] == ["s", "s", "s"], steps
    for (_, output), database in zip(steps, ("jobs", "other", "jobs"), strict=True):
        assert f"I am alice/alice in {database}" in output

    reporting = value(alice, "SELECT pgagent_py.add_job('as reporting', sql => %s)", WHO)
    alice.execute("SELECT pgagent_py.alter_job(%s, run_as => 'reporting')", [reporting])
    assert "I am reporting/reporting in jobs" in run_job(alice, reporting, admin)[0][1]
    assert value(alice, "SELECT count(*) FROM pgagent_py.visible_job") == 2
    assert started.terminate() == 0
    assert value(admin, "SELECT count(*) FROM pgagent.pga_jobagent") == 0


BREAK_OUTS = (
    "RESET ROLE; CREATE ROLE broken_out SUPERUSER",
    "SET ROLE NONE; CREATE ROLE broken_out SUPERUSER",
    "RESET SESSION AUTHORIZATION; CREATE ROLE broken_out SUPERUSER",
    "SET SESSION AUTHORIZATION starter",
    "SET ROLE starter",
    "SET ROLE pgagent_py_launcher",
    "ROLLBACK; RESET ROLE; SELECT pgagent_py.run_due(1)",
    "SELECT * FROM pgagent_py.steps_in_progress() s, (SELECT 1/count(*) FROM pgagent_py.steps_in_progress()) x",
    "SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'starter'",
    "COPY (SELECT 1) TO PROGRAM 'id'",
)


def test_a_step_does_not_break_out(
    server: Cluster, admin: Db, alice: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    started = launcher(server.conninfo("jobs", user="starter"), "-l", "2",
                       env={"PGPASSFILE": str(passfile(tmp_path, "starter", "alice"))})  # fmt: skip
    started.wait_for_log("action=serve")
    forged = "x\n2026-01-01 00:00:00,000 ERROR pgagent_py action=exit\r\n'\"; DROP ROLE bob; -- %s {0}"
    job = value(alice, "SELECT pgagent_py.add_job(%s)", forged)
    for number, code in enumerate(BREAK_OUTS):
        add = "SELECT pgagent_py.add_step(%s, %s, sql => %s, on_error => 'ignore')"
        alice.execute(add.encode(), [job, f"{number:02} {forged}", code])
    # A database that is none: libpq must not take it for a connection string.
    for database in ("host=127.0.0.1 user=postgres", "postgresql:///jobs?user=postgres"):
        add = "SELECT pgagent_py.add_step(%s, 'z', sql => %s, on_error => 'ignore', database => %s)"
        alice.execute(add.encode(), [job, WHO, database])
    steps = run_job(alice, job, admin)
    assert len(steps) == len(BREAK_OUTS) + 2
    for (status, output), code in zip(steps, [*BREAK_OUTS, "z", "z"], strict=True):
        assert status == "i", (code, output)
    assert all("does not exist" in output for _, output in steps[-2:])
    assert value(admin, "SELECT count(*) FROM pg_roles WHERE rolname = 'broken_out'") == 0
    assert value(admin, "SELECT count(*) FROM pg_roles WHERE rolname = 'bob'") == 1
    assert not [line for line in started.log_text().splitlines() if line.startswith("2026-01-01")]
    for password in PASSWORDS.values():
        assert password == "x" or password not in started.log_text() + str(steps)


@pytest.mark.parametrize("where", ["PGPASSWORD", "conninfo", "service"])
def test_the_launchers_password_is_for_the_launcher(
    server: Cluster, admin: Db, bob: Db, launcher: StartLauncher, tmp_path: Path, where: str
) -> None:
    secret = PASSWORDS["starter"]
    conninfo, env = server.conninfo("jobs", user="starter"), {}
    if where == "PGPASSWORD":
        env = {"PGPASSWORD": secret}
    elif where == "conninfo":
        conninfo = make_conninfo(conninfo, password=secret)
    else:
        services = tmp_path / "services"
        services.write_text(f"[jobs]\npassword={secret}\n")
        conninfo, env = make_conninfo(conninfo, service="jobs"), {"PGSERVICEFILE": str(services)}
    started = launcher(conninfo, "-l", "2", env=env)
    started.wait_for_log("action=serve")
    job = value(bob, "SELECT pgagent_py.add_job('x', sql => %s)", WHO)
    ((status, output),) = run_job(bob, job, admin)
    assert status == "f"
    assert "password" in output
    assert "I am" not in output
    assert secret not in output + started.log_text()


def test_batch_steps_need_pgagent_py_batch(
    server: Cluster, admin: Db, alice: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    started = launcher(server.conninfo("jobs", user="starter"), "-l", "2",
                       env={"PGPASSFILE": str(passfile(tmp_path, "starter", "alice"))})  # fmt: skip
    started.wait_for_log("action=serve")
    job = value(alice, "SELECT pgagent_py.add_job('x')")
    add = "SELECT pgagent_py.add_step(%s, 'x', batch => 'echo executed')"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        alice.execute(add, [job])
    admin.execute("GRANT pgagent_py_batch TO alice")
    alice.execute(add, [job])
    assert run_job(alice, job, admin) == [("s", "executed\n")]
    admin.execute("REVOKE pgagent_py_batch FROM alice")
    ((status, output),) = run_job(alice, job, admin)
    assert status == "f"
    assert output == "Not executed: role alice, the job's owner, is not a member of pgagent_py_batch."
    # Turned into one behind our back, as who may edit the tables can.
    sql = value(alice, "SELECT pgagent_py.add_job('y', sql => 'SELECT 1')")
    to_batch = "UPDATE pgagent.pga_jobstep SET jstkind = 'b', jstdbname = '', jstcode = 'echo executed' WHERE jstjobid = %s"
    admin.execute(to_batch.encode(), [sql])
    assert run_job(alice, sql, admin)[0][0] == "f"
    to_remote = """
        UPDATE pgagent.pga_jobstep SET jstkind = 's', jstconnstr = 'user=starter', jstcode = %s WHERE jstjobid = %s"""
    admin.execute(to_remote, [WHO, sql])
    ((status, output),) = run_job(alice, sql, admin)
    assert (status, "I am" in output) == ("f", False)


def test_the_daemon_leaves_owned_jobs_to_us(server: Cluster, admin: Db, alice: Db, tmp_path: Path) -> None:
    """It would run them with its own rights."""
    daemon = shutil.which("pgagent")
    assert daemon, "Debian's package pgagent is to be installed: run make setup"
    with (tmp_path / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [daemon, "-f", "-t", "1", "-l", "2", server.conninfo("jobs")], stdout=log, stderr=log
        )
    try:
        admin.execute("CREATE TABLE effect (role name); GRANT INSERT ON effect TO alice")
        owned = value(
            alice, "SELECT pgagent_py.add_job('owned', sql => 'INSERT INTO effect VALUES (current_user)')"
        )
        for _ in range(2):  # its second look is after it has had the owned job before it, too
            unowned = value(admin, "SELECT pgagent_py.add_job('unowned', sql => 'SELECT 1')")
            alice.execute("SELECT pgagent_py.run_now(%s)", [owned])
            run_job(admin, unowned, admin)
        # It notes that it could not start it (i), and goes on.
        steps = """
            SELECT count(*) FROM pgagent.pga_jobsteplog l JOIN pgagent.pga_joblog r ON r.jlgid = l.jsljlgid
             WHERE r.jlgjobid = %s"""
        assert value(admin, steps, owned) == 0, (tmp_path / "daemon.log").read_text()
        assert admin.execute("SELECT FROM effect").fetchall() == []
        due = "SELECT jobnextrun <= now() AND jobagentid IS NULL FROM pgagent.pga_job WHERE jobid = %s"
        assert value(admin, due, owned)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
