"""What the log says without -l, in both formats, and its file that is moved away while the launcher writes."""

import json
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    Launcher,
    add_job,
    run_to_end,
    serving,
    stop,
    wait_for,
    wait_for_end,
    wait_for_row,
    wait_for_start,
)

HOSTILE = 'x" run=7\n2026-01-01 00:00:00,000 ERROR pgagent_py action=exit\x1b[2J'


def lines(text: str) -> list[dict[str, Any]]:
    """Return the objects of a log in JSON."""
    return [json.loads(line) for line in text.splitlines()]


def failing_job(db: Db) -> int:
    """Add a job with a hostile name, of which two steps fail and one succeeds."""
    job = add_job(db, HOSTILE, {"sql": "SELECT 1;\nSELECT 1/0", "on_error": "ignore"}, "SELECT 1")
    db.execute("SELECT pgagent_py.add_step(%s, 'z', batch => 'echo said; echo wrong >&2; exit 3')", [job])
    return job


def test_each_failure_is_a_warning_and_what_is_in_order_is_none(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    agent = launcher("--log-format", "json", database)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobagent")
    job = failing_job(db)
    run = run_to_end(db, job)
    db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")
    wait_for(lambda: agent.log_text().count('"serve"') == 2, what="the launcher to be back")
    assert agent.terminate() == 0
    said = lines(agent.log_text())
    assert {"time", "level", "action"} <= set.intersection(*(set(line) for line in said))
    infos = [line["action"] for line in said if line["level"] == "INFO"]
    assert infos == ["start", "serve", "serve", "stop"]
    assert [line["action"] for line in said if line["level"] == "ERROR"] == ["connect"]  # it was cut off
    sql, batch = [line for line in said if line["level"] == "WARNING"]
    for line in (sql, batch):
        assert (line["action"], line["job"], line["name"], line["run"], line["status"]) == (
            *("finish_step", job, HOSTILE, run.id, "failure"),
        )
        assert line["seconds"] >= 0
    assert sql["message"] == "ERROR:  division by zero"
    assert batch["message"] == "wrong"
    assert [line["again"] for line in said if line["action"] == "serve"] == [False, True]


def test_a_name_forges_no_line_and_no_field(database: str, db: Db, launcher: StartLauncher) -> None:
    agent = launcher(database)
    run = run_to_end(db, failing_job(db))
    assert agent.terminate() == 0
    warnings = [line for line in agent.log_text().split("\n") if "WARNING" in line]
    assert len(warnings) == 2
    assert all(line.isprintable() for line in agent.log_text().split("\n"))
    assert [re.sub(r'"(\\.|[^"\\])*"', "", line).count("run=") for line in warnings] == [1, 1]
    assert all(f" run={run.id} " in line for line in warnings)


def test_a_takeover_is_said_and_the_runs_that_it_closes(
    database: str, db: Db, launcher: StartLauncher
) -> None:
    dead, job = serving(launcher(database)), add_job(db, "left", {"batch": "sleep 600"})
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    wait_for_start(db, job)
    dead.kill()
    other = launcher("--log-format", "json", database)
    wait_for_end(db, job)
    other.wait_for_log("finish_run")
    stop(other)
    said = lines(other.log_text())
    assert Counter(line["action"] for line in said if line["level"] == "INFO")["take_over"] == 1
    (closed,) = [line for line in said if line["level"] == "WARNING"]
    assert (closed["action"], closed["name"], closed["status"]) == ("finish_run", "left", "aborted")
    assert closed["message"] == "The agent that executed this step is gone."


def test_the_log_file_is_opened_again_when_it_was_moved_and_by_sighup(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """SIGHUP ends nothing: a run in progress goes on. A directory that nobody may write to is no end either."""
    file, moved, gone = tmp_path / "logs/log", tmp_path / "logs/log.1", tmp_path / "gone"
    file.parent.mkdir()
    agent = launcher("-s", str(file), database)
    wait_for(lambda: file.exists() and "action=serve" in file.read_text(), what="the launcher to serve")
    job = add_job(
        db,
        "goes on",
        {"batch": f"touch {tmp_path}/begun; while [ ! -e {tmp_path}/end ]; do sleep 0.05; done"},
    )
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    wait_for((tmp_path / "begun").exists)
    file.rename(moved)
    agent.signal(signal.SIGHUP)
    wait_for(file.exists, what="a new log file")
    assert "action=serve" in moved.read_text()
    wait_for(lambda: "action=open_log" in file.read_text())
    file.rename(moved)  # and now without a signal
    run_to_end(db, add_job(db, "fails", "SELECT 1/0"))
    wait_for(lambda: file.exists() and "division by zero" in file.read_text(), what="the next line")
    file.parent.rename(gone)
    run_to_end(db, add_job(db, "fails, too", "SELECT 2/0"))
    wait_for(lambda: "can't be opened again" in (gone / "log").read_text(), what="the old file to have it")
    gone.rename(file.parent)
    (tmp_path / "end").touch()
    wait_for_end(db, job)
    assert db.execute("SELECT jlgstatus FROM pgagent.pga_joblog WHERE jlgjobid = %s", [job]).fetchall() == [
        ("s",)
    ]
    assert agent.terminate() == 0
    assert "action=stop" in file.read_text()


def test_a_full_disk_is_said_once_and_ends_nothing(database: str, db: Db, launcher: StartLauncher) -> None:
    agent = launcher("-s", "/dev/full", database)
    assert run_to_end(db, add_job(db, "x", "SELECT 1/0")).status == "f"
    assert agent.terminate() == 0
    (line,) = agent.log_text().splitlines()
    assert line == f"pgagent-py: the log file can't be written: {OSError(28, os.strerror(28))}"


def test_sighup_at_any_moment_ends_nothing(database: str, db: Db, launcher: StartLauncher) -> None:
    """From the first moments of the process on, also while it starts itself again to hide a password."""
    agent: Launcher = launcher(f"{database} password=unused")
    wait_for(lambda: b"main" in Path(f"/proc/{agent.pid}/cmdline").read_bytes() or agent.log_text())
    while not db.execute("SELECT FROM pgagent.pga_jobagent").fetchall():
        agent.signal(signal.SIGHUP)
        assert agent.process.poll() is None
    for _ in range(20):
        agent.signal(signal.SIGHUP)
    assert agent.terminate() == 0
