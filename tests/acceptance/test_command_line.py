"""The command line of the launcher: options, passwords, the log."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import StartLauncher
from tests.helpers import PATIENCE, Cluster, Db, add_job, run_to_end, wait_for_row


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher to its end."""
    program = shutil.which("pgagent-py", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program
    base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    return subprocess.run(
        [program, *arguments],
        env=base | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "CONNECTION-STRING"),
        (["-t", "soon", "dbname=x"], "-t"),
        (["-t", "-5", "dbname=x"], "-t"),
        (["-r", "nan", "dbname=x"], "-r"),
        (["-l", "3", "dbname=x"], "-l"),
        (["--workers", "0", "dbname=x"], "--workers"),
        (["--workers", "many", "dbname=x"], "--workers"),
        (["--grace", "inf", "dbname=x"], "--grace"),
        (["--output-limit", "-1", "dbname=x"], "--output-limit"),
        (["--no-such-option", "dbname=x"], "--no-such-option"),
        (["-s", "/nonexistent/log", "dbname=x"], "/nonexistent/log"),
        (["datbase=x"], "invalid connection option"),
        (["just_a_word"], 'missing "="'),
        (["dbname='x"], "CONNECTION-STRING"),
        (["host=x dbname=a", "dbname=b"], "dbname is given twice"),
        (["--log-format", "xml", "dbname=x"], "--log-format"),
    ],
)
def test_a_wrong_command_line_is_refused_in_a_sentence(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_wrong_connection_string_shows_no_password() -> None:
    done = run("host=localhost password=hunter2 datbase=x")
    assert done.returncode == 2
    assert "invalid connection option" in done.stderr
    assert "hunter2" not in done.stderr


def test_version_and_help_are_shown() -> None:
    done = run("-v")
    assert (done.returncode, done.stdout.split()[0]) == (0, "pgagent-py")
    done = run("--help")
    assert done.returncode == 0
    assert "CONNECTION-STRING" in done.stdout


def test_password_on_the_command_line_does_not_stay_there(
    cluster: Cluster, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """pgAgent takes one there, too; the process list must not show it for longer than the start takes."""
    db.execute("CREATE ROLE with_password LOGIN SUPERUSER PASSWORD 'on the command line'")
    try:
        conninfo = f"hostaddr=127.0.0.1 port={cluster.port} dbname={db.info.dbname} user=with_password"
        (tmp_path / "launcher1").mkdir()  # where it starts: what lies there is none of its modules
        (tmp_path / "launcher1/psycopg.py").write_text(
            "raise SystemExit('imported from the current directory')"
        )
        words = f"{conninfo} password='on the command line' sslpassword='on the command line'"
        process = launcher("-l", "2", words)
        wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent")
        assert "on the command line" not in " ".join(psutil.Process(process.pid).cmdline())
        assert process.terminate() == 0
        assert "on the command line" not in process.log_text()
    finally:
        db.execute("DROP ROLE with_password")


def test_options_may_stand_among_the_words_of_the_connection_string(
    cluster: Cluster, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """pgAgent takes them before, between and after."""
    log = tmp_path / "the log"
    words = f"host={cluster.directory} -f port={cluster.port} -l2 dbname={db.info.dbname} -t 5 user=postgres -s".split()
    process = launcher(*words, str(log))
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent")
    assert process.terminate() == 0
    assert process.log_text() == ""
    assert "action=serve" in log.read_text()


def test_the_log_goes_to_its_file_and_says_what_its_level_asks_for(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """-s writes the log to a file, -l 2 everything; -l 0 says nothing about what is in order."""
    logfile = tmp_path / "agent.log"
    chatty = launcher("-s", str(logfile), "-l", "2", database)
    quiet = launcher("-l", "0", database)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent HAVING count(*) = 2")
    assert run_to_end(db, add_job(db, "x", "SELECT 1")).status == "s"
    for process in (chatty, quiet):
        assert process.terminate() == 0
    assert "action=serve" in logfile.read_text()
    assert chatty.log_text() == ""
    assert quiet.log_text() == ""
