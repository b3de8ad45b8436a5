"""The launcher's log: nobody else writes a line of it, and no part of a mistyped connection string is in it."""

import logging
import re

import pytest

from launcher.conninfo import hide_mistyped
from launcher.log import LOG_FORMAT, LogFormatter
from tests.conftest import StartLauncher
from tests.helpers import Cluster, Db, add_job, output, run_to_end, serving, stop

FORGED = "x\n2026-01-01 00:00:00,000 ERROR forged\r\x1b[2J\x9b31m\u2028"
SECRET = "s3cr3t"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ pgagent_py")


def record(message: str, error: Exception | None = None) -> str:
    """Return what the log has of a message."""
    info = (type(error), error, None) if error else None
    return LogFormatter(LOG_FORMAT).format(
        logging.LogRecord("pgagent_py", logging.ERROR, "", 0, "%s", (message,), info)
    )


def test_a_message_is_one_printable_line() -> None:
    assert record(FORGED).isprintable()
    assert record("grün \U0001f600 \\ 'a'").endswith("grün \U0001f600 \\ 'a'")
    assert record("\udcff").isprintable()


def test_a_traceback_is_indented() -> None:
    first, *lines = record("x", ValueError(FORGED)).split("\n")
    assert LINE.match(first)
    assert len(lines) > 1
    assert all(line.startswith("    ") and line.isprintable() for line in lines)


@pytest.mark.parametrize("there", [True, False])
def test_the_name_of_a_database_forges_no_line(
    server: Cluster, admin: Db, launcher: StartLauncher, there: bool
) -> None:
    """Its owner names it; the launcher and the server speak of it."""
    if there:
        admin.execute(f'CREATE DATABASE "{FORGED}"'.encode())
    agent = launcher("-l", "2", server.conninfo(FORGED))
    agent.wait_for_log("forged")
    lines = agent.logfile.read_bytes().decode().removesuffix("\n").split("\n")
    assert all(LINE.match(line) and line.isprintable() for line in lines), lines
    agent.kill()
    if there:
        admin.execute(f'DROP DATABASE "{FORGED}"'.encode())


MISTYPED = [
    f"host={SECRET}.invalid",
    f"postgresql://{SECRET}",
    f"postgresql://user:{SECRET}",
    f"service={SECRET}",
    f"hostaddr={SECRET}",
    f"host=127.0.0.1 port={SECRET}",
    f"host=127.0.0.1 sslmode={SECRET}",
    f"host=127.0.0.1 sslmode=verify-full sslrootcert={SECRET}",
    f"host=127.0.0.1 connect_timeout={SECRET}",
    f"host={SECRET * 20}",
    f"{SECRET}=x",
    f"{SECRET} dbname=x",
]


@pytest.mark.parametrize("string", MISTYPED)
def test_a_mistyped_connection_string_of_the_launcher_is_not_quoted(
    launcher: StartLauncher, string: str
) -> None:
    agent = launcher("-l", "2", string)
    while not agent.log_text() and agent.process.poll() is None:
        agent.wait_for_log("\n")
    if agent.process.poll() is not None:
        agent.wait()
    assert SECRET not in agent.log_text()


def test_a_mistyped_connection_string_of_a_step_is_not_quoted(
    server: Cluster, admin: Db, launcher: StartLauncher
) -> None:
    agent = serving(launcher("-l", "2", server.conninfo("jobs")))
    for string in MISTYPED:
        job = add_job(admin, "mistyped", {"sql": "SELECT 1"})
        admin.execute(
            "UPDATE pgagent.pga_jobstep SET jstconnstr = %s, jstdbname = '' WHERE jstjobid = %s",
            [string, job],
        )
        assert run_to_end(admin, job).status == "f"
        assert output(admin, job)
        assert SECRET not in output(admin, job)
    stop(agent)
    assert SECRET not in agent.log_text()


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ('definition of service "a"b" not found', 'definition of service "..." not found'),
        (
            "failed to resolve host 'a': [Errno -2] unknown",
            'failed to resolve host "...": [Errno -2] unknown',
        ),
        (
            'connection failed: failed to resolve host "it\'s": x',
            'connection failed: failed to resolve host "...": x',
        ),
        ('connection to server at "::1", port 5432 failed: FATAL:  role "a" does not exist', None),
        ('x\nroot certificate file "/a\nb" does not exist', 'x\nroot certificate file "..." does not exist'),
    ],
)
def test_only_what_the_string_says_is_hidden(words: str, shown: str | None) -> None:
    assert hide_mistyped(words) == (shown or words)
