"""A launcher and extensions of other versions: the catalog is told that such a one is installed."""

import re
from importlib.metadata import version

import pytest

from launcher.handshake import EXTENSION_NEEDED
from tests.conftest import StartLauncher
from tests.helpers import Db, Launcher, wait_for, wait_for_row

LAUNCHER = version("pgagent_py")
MAJOR = int(LAUNCHER.split(".")[0])
NEXT_MAJOR = f"{MAJOR + 1}.0.0"
NEXT_MINOR = f"{MAJOR}.99.0"


def pretend(db: Db, extension: str) -> None:
    db.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'pgagent_py'", [extension])


def cut_off(db: Db) -> None:
    """End the launcher's backend, so that it connects again."""
    db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")


def run_a_job(db: Db) -> None:
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('x', sql => 'SELECT 1'))")
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgstatus = 's'")


def warnings(process: Launcher) -> list[str]:
    return [line for line in process.log_text().splitlines() if "newer than launcher" in line]


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        (
            "1.0.0",
            f"has pgagent_py 1.0.0, {EXTENSION_NEEDED} is needed by launcher {LAUNCHER}: install it on the server and"
            " run ALTER EXTENSION pgagent_py UPDATE in the database (always the extension first, then the launchers;",
        ),
        (
            NEXT_MAJOR,
            f"has pgagent_py {NEXT_MAJOR}, which launcher {LAUNCHER} does not know: upgrade the launcher",
        ),
    ],
)
def test_refused_at_the_start_with_what_to_do(
    extension: str, words: str, database: str, db: Db, launcher: StartLauncher
) -> None:
    pretend(db, extension)
    process = launcher(database)
    assert process.wait() == 1
    (_, line) = process.log_text().splitlines()  # the first says that it has started
    assert "action=exit database " in line
    assert words in line
    assert db.execute("SELECT FROM pgagent.pga_jobagent").fetchall() == []


def test_a_newer_extension_of_the_same_major_version_is_served_and_said_once(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    pretend(db, NEXT_MINOR)
    process = launcher("-l", "2", "-r", "1", database)
    process.wait_for_log("action=serve")
    cut_off(db)
    wait_for(lambda: process.log_text().count("action=serve") == 2, what="the second connection")
    run_a_job(db)
    assert process.terminate() == 0
    (warning,) = warnings(process)
    assert f"has pgagent_py {NEXT_MINOR}, which is newer than launcher {LAUNCHER}" in warning
    assert "upgrade the launcher" in warning


def test_the_launchers_own_version_needs_no_word(database: str, db: Db, launcher: StartLauncher) -> None:
    process = launcher("-l", "2", database)
    run_a_job(db)
    assert process.terminate() == 0
    assert warnings(process) == []


def test_refused_while_it_serves_it_keeps_trying_at_growing_pauses(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    """The server was replaced by an older copy, say: there may be results to book when it is right again."""
    process = launcher("-l", "2", "-r", "1", database)
    process.wait_for_log("action=serve")
    pretend(db, "1.0.0")
    cut_off(db)
    refused = re.compile(r"action=connect trying again in ([\d.]+) s: database .* has pgagent_py 1\.0\.0")
    wait_for(lambda: len(refused.findall(process.log_text())) >= 7, what="seven attempts")
    pauses = [float(pause) for pause in refused.findall(process.log_text())]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1.0
    pretend(db, LAUNCHER)
    run_a_job(db)
    assert process.terminate() == 0
    assert "Traceback" not in process.log_text()
