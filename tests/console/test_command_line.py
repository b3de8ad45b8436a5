"""What holds for every command: connection, errors, exit status, pipes, secrets."""

import subprocess
import sys
from pathlib import Path

import psycopg

from tests.console.conftest import ENVIRONMENT, Ctl
from tests.helpers import Db, add_job, wait_for_row
from tests.helpers.updates import install_released


def test_jobs_are_listed_by_name_as_a_table_and_as_json(ctl: Ctl, db: Db) -> None:
    assert [ctl("jobs"), ctl("runs"), ctl("backfill")] == ["no jobs\n", "no runs\n", "no backfills\n"]
    assert ctl("upcoming").startswith("nothing is due until 20")
    assert ctl.json("jobs") == ctl.json("runs") == ctl.json("upcoming") == []
    add_job(db, "b\x1b[31m\nline", cron="0 3 * * *", sql="SELECT 1")
    add_job(db, "a")
    heading, first, second = ctl("jobs").splitlines()
    assert heading.split()[:3] == ["ID", "JOB", "ENABLED"]
    assert first.split()[1] == "a"
    assert "b\\x1b[31m\\nline" in second
    found = ctl.json("jobs", "B")
    assert [job["jobname"] for job in found] == ["b\x1b[31m\nline"]
    assert found[0]["next_run"].endswith(("+01:00", "+02:00"))


def test_no_connection_is_one_sentence_a_hint_and_status_3(ctl: Ctl) -> None:
    told = ctl("jobs", "-d", "host=/nowhere", status=3)
    assert told.count("\n") == 2
    assert "HINT: Give a connection string with -d" in told
    told = ctl("jobs", "-d", "host=x pass word=secret", status=2)
    assert "secret" not in told
    told = ctl("jobs", PGOPTIONS="-c statement_timeout=1", status=1)
    assert "HINT: PGOPTIONS='-c statement_timeout=0' takes off" in told


def test_a_database_without_the_extension_says_so(ctl: Ctl, bare_database: str) -> None:
    assert ctl("jobs", "-d", bare_database, status=3) == (
        f'pgagentctl: database "{bare_database.rpartition("=")[2]}" has no extension pgagent_py\n'
        "HINT: If this is the database that the jobs are to be in: CREATE EXTENSION pgagent_py CASCADE;\n"
    )


def test_a_database_with_an_older_extension_says_so(ctl: Ctl, bare_database: str, tmp_path: Path) -> None:
    install_released("1.0.0", tmp_path)
    with psycopg.connect(bare_database, autocommit=True) as db:
        db.execute("CREATE EXTENSION pgagent_py VERSION '1.0.0' CASCADE")
    for command in (["status"], ["doctor"], ["runs"], ["upcoming"]):
        told = ctl(*command, "-d", bare_database, status=3)
        assert "has version 1.0.0 of the extension, and this command is of " in told
        assert told.endswith("\nHINT: ALTER EXTENSION pgagent_py UPDATE;\n")


def test_wrong_use_is_one_sentence_a_hint_and_status_2(ctl: Ctl) -> None:
    assert ctl("nonsense", status=2) == (
        "pgagentctl: No such command 'nonsense'\nHINT: pgagentctl --help shows how it is used.\n"
    )
    told = ctl("import", "crontab", "--nonsense", status=2)
    assert told.endswith("\nHINT: pgagentctl import crontab --help shows how it is used.\n")
    assert (
        "Usage: pgagentctl"
        in subprocess.run(
            [ctl.program], capture_output=True, text=True, env=ctl.environment, check=False
        ).stderr
    )


def test_hints_of_the_server_name_the_options_of_the_command(ctl: Ctl) -> None:
    ctl("add", "j", "--sql", "SELECT 1")
    told = ctl("add", "j", "--if-exists", "error", status=2)
    assert told.endswith("\nHINT: Use --if-exists replace, keep or add.\n")
    assert "\nHINT: With --if-exists replace or keep it is not added" in ctl("add", "j")
    assert "HINT: Give --sql TEXT too." in ctl("add", "k", "--database", "x", status=2)


def test_what_the_machine_refuses_is_told(ctl: Ctl) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [ctl.program, "-d", ctl.conninfo, "jobs", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=ctl.environment,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "pgagentctl: No space left on device\n")
    assert "is no UTF-8 text" in ctl("job", "\udcff", status=2)


def test_a_closed_pipe_is_no_error(ctl: Ctl, db: Db) -> None:
    db.execute("SELECT pgagent_py.add_job(repeat('x', 500) || n) FROM generate_series(1, 300) n")
    with subprocess.Popen(
        [ctl.program, "-d", ctl.conninfo, "jobs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_password_is_not_in_the_list_of_processes(ctl: Ctl, db: Db) -> None:
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgagentctl' AND wait_event_type = 'Lock'"
    )
    command = [ctl.program, "-d", f"{ctl.conninfo} password='se cret'", "--json", "jobs"]
    with psycopg.connect(ctl.conninfo) as locker:
        locker.execute("LOCK TABLE pgagent.pga_job IN ACCESS EXCLUSIVE MODE")
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE)
        try:
            wait_for_row(db, waiting)
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        finally:
            process.kill()
            process.communicate()
    assert b"cret" not in shown
    assert b" password=xxxxxxxxx\0" in shown


def test_without_its_extra_it_says_what_to_install(ctl: Ctl) -> None:
    code = (
        "import sys; sys.modules['click'] = None; from pgagent_py_console.main import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ctl.environment, check=False
    )
    assert done.returncode == 2
    assert "pip install 'pgagent_py[ctl]'" in done.stderr
