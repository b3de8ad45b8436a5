"""What others on the machine can see of the launcher and its steps: no secret, and nobody else's files."""

import os
import stat
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.conftest import StartLauncher
from tests.helpers import (
    PASSWORD,
    Cluster,
    Db,
    add_yearly_job,
    make_due,
    output,
    process_of,
    serving,
    statuses,
    stop,
    wait_for,
    wait_for_end,
)

SECRET = "s3cr3t/of the step"


def shown(process: psutil.Process | int, file: str) -> str:
    """Return what /proc shows of a process: "cmdline" or "environ"; nothing if it has ended."""
    pid = process if isinstance(process, int) else process.pid
    try:
        return (Path("/proc") / str(pid) / file).read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_password_in_the_connection_string_is_nowhere_to_be_seen(
    cluster: Cluster, database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """pgAgent takes it there, so do we: it is gone from the process list, and no child and no log gets to see it."""
    dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    address = cluster.conninfo(str(dbname), host="127.0.0.1", password=PASSWORD)
    agent = serving(launcher("-l", "2", address))
    assert "pgagent" in shown(agent.pid, "cmdline")
    assert PASSWORD not in shown(agent.pid, "cmdline")
    job = add_yearly_job(
        db, "a", {"batch": f"env; echo $$ > {tmp_path}/pid; while [ ! -e {tmp_path}/go ]; do sleep 0.1; done"}
    )
    broken = add_yearly_job(
        db,
        "b",
        {
            "sql": "SELECT 1",
            "connstr": f"host=127.0.0.1 port={cluster.port} user=postgres password='{SECRET}'",
        },
    )
    make_due(db, job, broken)
    script = process_of(tmp_path / "pid")
    family = [script, *psutil.Process(agent.pid).children(recursive=True)]
    assert len(family) > 2  # also the guard; what the script starts may have ended meanwhile
    for process in family:
        assert PASSWORD not in shown(process, "cmdline")
        assert PASSWORD not in shown(process, "environ")
    assert "PGAGENT_STEP_SCRIPT" in shown(script, "environ")
    # The server down to the launcher's eyes: what it says of its attempts
    db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")
    agent.wait_for_log("trying again")
    (tmp_path / "go").touch()
    wait_for_end(db, job, broken)
    assert PASSWORD not in output(db, job)
    assert "password authentication failed" in output(db, broken)
    assert SECRET not in output(db, broken)
    stop(agent)
    assert PASSWORD not in agent.log_text()
    assert SECRET not in agent.log_text()


@pytest.mark.parametrize(
    "string",
    [
        f"host=127.0.0.1 port=1 password='{SECRET}'",
        "postgresql://postgres:s3cr3t%2Fof the step@127.0.0.1:1/postgres",
        "postgresql://postgres:s3cr3t/of the step@127.0.0.1:1/postgres",
    ],
)
def test_a_wrong_connection_string_is_refused_without_its_password(
    launcher: StartLauncher, string: str
) -> None:
    """Whether it can't be read or leads nowhere: the launcher's words hold no part of the password."""
    agent = launcher("-l", "2", string)
    wait_for(lambda: "trying again" in agent.log_text() or agent.process.poll())
    assert "s3cr3t" not in agent.log_text()
    if agent.process.poll() is None:
        assert "s3cr3t" not in shown(agent.pid, "cmdline")


def test_scripts_are_private(database: str, db: Db, launcher: StartLauncher, tmp_path: Path) -> None:
    """Directory and script belong to the user alone, have names that can't be foreseen, and go after use."""
    agent = serving(launcher("-l", "2", database, env={"TMPDIR": str(tmp_path)}))
    code = f"echo $PGAGENT_STEP_SCRIPT > {tmp_path}/path; echo $$ > {tmp_path}/pid\n"
    code += f"while [ ! -e {tmp_path}/go ]; do sleep 0.1; done"
    job = add_yearly_job(db, "a", {"batch": code}, {"batch": "echo $PGAGENT_STEP_SCRIPT"})
    make_due(db, job)
    process_of(tmp_path / "pid")
    script = Path((tmp_path / "path").read_text().strip())
    assert script.parent.parent == tmp_path
    assert stat.S_IMODE(script.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(script.stat().st_mode) == 0o700
    assert script.parent.stat().st_uid == script.stat().st_uid == os.geteuid()
    (tmp_path / "go").touch()
    wait_for_end(db, job)
    assert not script.exists()
    assert output(db, job, 2).strip() != str(script)
    stop(agent)
    assert not script.parent.exists()


def test_scripts_get_three_descriptors_and_the_launcher_keeps_none(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    """A script gets stdin, stdout and stderr and nothing else; the launcher's own don't grow from step to step."""
    agent = serving(launcher("-l", "2", database))
    job = add_yearly_job(
        db,
        "a",
        {"sql": "SELECT 1"},
        {"batch": "for fd in /proc/$$/fd/*; do readlink $fd; done; exec sleep 0"},
    )
    process = psutil.Process(agent.pid)
    counts = []
    for _ in range(20):
        make_due(db, job)
        wait_for_end(db, job)
        counts.append(process.num_fds())
    lines = output(db, job, 2).splitlines()
    assert lines[0] == "/dev/null"
    assert all("pipe:" in line or ("pgagent-py-" in line) for line in lines[1:])  # the shell reads its script
    assert len(lines) <= 4
    wait_for(lambda: process.num_fds() <= counts[2] + 1, what=f"no more descriptors than before: {counts}")
    assert set(statuses(db, job)) == {("s", "ss")}
    stop(agent)


def test_the_owner_of_the_database_gets_no_function_called_by_the_launcher(
    own_cluster: Cluster, launcher: StartLauncher
) -> None:
    """It may set the database's search_path; the launcher may be a superuser."""
    with own_cluster.connect() as admin:
        admin.execute("CREATE ROLE keeper LOGIN")
        admin.execute("CREATE DATABASE jobs TEMPLATE pgagent_py_template OWNER keeper")
    with psycopg.connect(own_cluster.conninfo("jobs", user="keeper"), autocommit=True) as keeper:
        keeper.execute("CREATE SCHEMA trap")
        for function, result, end in (
            ("make_interval(secs float8)", "interval", "RETURN '1 s'"),
            ("current_database()", "name", "RETURN 'jobs'"),
            ("eq(a name, b name)", "boolean", "RETURN a::text OPERATOR(pg_catalog.=) b::text"),
        ):
            body = f"BEGIN RAISE LOG 'trapped %', current_user; {end}; END"
            keeper.execute(
                f"CREATE FUNCTION trap.{function} RETURNS {result} LANGUAGE plpgsql AS $${body}$$".encode()
            )
        keeper.execute("CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = name, FUNCTION = trap.eq)")
        keeper.execute("ALTER DATABASE jobs SET search_path = trap, pg_catalog")
    agent = serving(launcher("-l", "2", own_cluster.conninfo("jobs")))
    with own_cluster.connect("jobs") as db:
        db.execute("SET search_path = pg_catalog")
        job = add_yearly_job(db, "a", {"sql": "SELECT 1"})
        make_due(db, job)
        wait_for_end(db, job)
    stop(agent)
    assert "trapped" not in own_cluster.logfile.read_text()
