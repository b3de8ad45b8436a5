"""Databases and servers that the launcher can not serve, now or ever."""

from pathlib import Path

from tests.conftest import StartLauncher
from tests.helpers import Cluster, Db, Launcher, wait_for_row


def wait_for_failure(process: Launcher) -> str:
    """Return the log of a launcher that ends by itself, without success."""
    assert process.wait() == 1
    return process.log_text()


def test_a_database_without_the_extension_is_not_served(bare_database: str, launcher: StartLauncher) -> None:
    log = wait_for_failure(launcher(bare_database))
    assert "does not have the extension pgagent_py: run CREATE EXTENSION pgagent_py CASCADE in it" in log
    assert "Traceback" not in log


def test_a_pgagent_that_is_too_old_is_not_served(database: str, db: Db, launcher: StartLauncher) -> None:
    """No older one can be installed here, so the catalog is told that this one is."""
    db.execute("UPDATE pg_extension SET extversion = '3.4' WHERE extname = 'pgagent'")
    log = wait_for_failure(launcher(database))
    assert "has pgagent 3.4, 4.2 is needed: run ALTER EXTENSION pgagent UPDATE in it" in log


def test_a_role_without_the_rights_can_not_serve(cluster: Cluster, db: Db, launcher: StartLauncher) -> None:
    db.execute("CREATE ROLE powerless LOGIN")
    try:
        log = wait_for_failure(launcher(cluster.conninfo(db.info.dbname, user="powerless")))
        assert "role powerless may not run jobs" in log
        assert "pgagent_py_launcher" in log  # what would help
    finally:
        db.execute("DROP ROLE powerless")


def test_a_wrong_password_role_or_database_ends_the_launcher_with_the_servers_words(
    cluster: Cluster, launcher: StartLauncher, tmp_path: Path
) -> None:
    pgpass = tmp_path / "pgpass"
    pgpass.write_text("*:*:*:*:not this one\n")
    pgpass.chmod(0o600)
    tcp = f"hostaddr=127.0.0.1 port={cluster.port}"
    for conninfo, words in (
        (f"{tcp} dbname=postgres user=postgres", 'password authentication failed for user "postgres"'),
        (cluster.conninfo("postgres", user="nobody_at_all"), 'role "nobody_at_all" does not exist'),
        ("postgresql://localhost:port/x", "Servname not supported"),
        ("host=localhost connect_timeout=soon", 'bad value for connect_timeout: "..."'),
        ("host=localhost sslmode=sometimes", 'invalid sslmode value: "..."'),
        (cluster.conninfo("no_such_database"), 'database "no_such_database" does not exist'),
        ("service=no_such_service", 'definition of service "..." not found'),
        ("host=a,b port=1,2,3", "could not match 3 port numbers to 2 hosts"),
        ("host=a,b hostaddr=127.0.0.1", "could not match 2 host names with 1 hostaddr values"),
        ("hostaddr=localhost", 'could not parse network address "..."'),
        (cluster.conninfo(options="-c nonsense=1"), 'unrecognized configuration parameter "nonsense"'),
        (cluster.conninfo(options="-c work_mem=1"), 'outside the valid range for parameter "work_mem"'),
        (cluster.conninfo(options="nonsense"), "invalid command-line argument for server process: nonsense"),
        (f"{tcp} user=postgres sslmode=require", "SSL was required"),
    ):
        log = wait_for_failure(launcher(conninfo, env={"PGPASSFILE": str(pgpass)}))
        assert words in log
        assert "not this one" not in log
        assert "Traceback" not in log


def test_a_server_that_comes_later_is_served(own_cluster: Cluster, launcher: StartLauncher) -> None:
    """The launcher says at once, at the lowest level of logging, that it can't connect, and keeps trying."""
    own_cluster.stop()
    process = launcher("-r", "1", own_cluster.conninfo("pgagent_py_template"))
    process.wait_for_log("connection")
    assert process.process.poll() is None
    own_cluster.start()
    with own_cluster.connect("pgagent_py_template") as db:
        wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent")
        db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('x', sql => 'SELECT 1'))")
        wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgstatus = 's'")
    assert process.terminate() == 0
    assert "Traceback" not in process.log_text()


def test_a_host_that_is_not_there_is_said_and_waited_for(launcher: StartLauncher) -> None:
    process = launcher("host=no-such-host.invalid dbname=postgres")
    process.wait_for_log('failed to resolve host "..."')
    assert process.terminate() == 0


def test_bad_step_targets_fail_the_step_only(
    cluster: Cluster, database: str, db: Db, launcher: StartLauncher
) -> None:
    """libpq's or the server's own words are in the log; the secret is not."""
    ((job,),) = db.execute("SELECT pgagent_py.add_job('x')").fetchall()
    tcp = f"hostaddr=127.0.0.1 port={cluster.port} dbname=postgres user=postgres"
    steps = [
        ("connstr", "nonsense", "missing"),
        ("connstr", "datbase=x", "invalid connection option"),
        ("connstr", f"{tcp} password=hunter2", "password authentication failed"),
        ("connstr", "host=no-such-host.invalid dbname=x", 'failed to resolve host "..."'),
        ("database", "no_such_database", 'database "no_such_database" does not exist'),
    ]
    for number, (argument, value, _) in enumerate(steps):
        query = (
            f"SELECT pgagent_py.add_step(%s, %s, sql => 'SELECT 1', {argument} => %s, on_error => 'ignore')"
        )
        db.execute(query.encode(), [job, str(number), value])
    process = launcher("-l", "2", database)
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgstatus = 's'")
    log = db.execute(
        "SELECT jslstatus, jslresult, jsloutput FROM pgagent.pga_jobsteplog ORDER BY jslid"
    ).fetchall()
    assert [(status, result) for status, result, _ in log] == [("i", -1)] * len(steps)
    for (_, _, words), (_, _, output) in zip(steps, log, strict=True):
        assert words in output
        assert "hunter2" not in output
    assert process.terminate() == 0
    assert "hunter2" not in process.log_text()
