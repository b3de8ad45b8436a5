"""Launchers that are told to stop."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.conftest import StartLauncher
from tests.helpers import (
    PATIENCE,
    Db,
    add_yearly_job,
    agents,
    check_sound,
    is_gone,
    make_due,
    output,
    process_of,
    serving,
    statuses,
    wait_for,
    wait_for_end,
    wait_for_row,
    wait_for_start,
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_launcher_told_to_stop_claims_nothing_and_stops_steps_after_the_grace_time(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path, number: signal.Signals
) -> None:
    """Nothing new is claimed; what ends in the grace time is as ever; the rest is stopped and logged d with its output."""
    agent = serving(launcher("-l", "2", "--grace", "5", database))
    gate = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.02; done"
    quick = add_yearly_job(db, "quick", {"batch": gate})
    two = add_yearly_job(db, "two", {"batch": f"{gate}; echo first"}, {"batch": "echo never"})
    sql = add_yearly_job(db, "sql", {"sql": "DO $$BEGIN RAISE NOTICE 'so far'; END$$; SELECT pg_sleep(600)"})
    batch = add_yearly_job(db, "batch", {"batch": "echo so far; exec sleep 600"})
    deaf = add_yearly_job(
        db,
        "deaf",
        {"batch": f"trap '' TERM; echo $$ > {tmp_path}/pid; echo so far; while :; do sleep 1; done"},
    )
    late = add_yearly_job(db, "late", {"sql": "SELECT 1"})
    make_due(db, quick, two, sql, batch, deaf)
    wait_for_start(db, quick, two, sql, batch, deaf)
    script = process_of(tmp_path / "pid")
    agent.signal(number)
    agent.wait_for_log("action=stop")
    (tmp_path / "gate").touch()
    make_due(db, late)
    assert agent.wait() == 0
    assert is_gone(script)
    assert statuses(db, quick) == [("s", "s")]
    assert statuses(db, two) == [("d", "s")]
    assert statuses(db, late) == []
    for job in (sql, batch, deaf):
        assert statuses(db, job) == [("d", "d")]
        assert "so far" in output(db, job)
        assert "The launcher was told to stop." in output(db, job)
    assert agents(db) == 0
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = NULL WHERE jobid = %s", [late])
    check_sound(db)


def test_a_second_signal_stops_steps_at_once(database: str, db: Db, launcher: StartLauncher) -> None:
    """It ends what runs at once, without the grace time."""
    agent = serving(launcher("-l", "2", "--grace", "600", database))
    deaf = add_yearly_job(db, "deaf", {"batch": "trap '' TERM; echo so far; while :; do sleep 1; done"})
    sql = add_yearly_job(db, "sql", {"sql": "SELECT pg_sleep(600)"})
    make_due(db, deaf, sql)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobsteplog WHERE jsloutput LIKE 'so far%%'")
    agent.signal(signal.SIGTERM)
    agent.wait_for_log("action=stop")
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0
    assert statuses(db, deaf) == statuses(db, sql) == [("d", "d")]
    assert "The launcher was told twice to stop." in output(db, deaf)
    assert agents(db) == 0
    check_sound(db)


@pytest.mark.parametrize("table", ["pga_job", "pga_jobagent"])
def test_a_second_signal_ends_a_launcher_that_the_server_does_not_answer(
    database: str, db: Db, launcher: StartLauncher, table: str
) -> None:
    """A session has a whole table locked, and the launcher waits for it, serving or registering: it ends all the same."""
    lock = f"LOCK TABLE pgagent.{table} IN ACCESS EXCLUSIVE MODE".encode()
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pgagent-py' AND wait_event_type = 'Lock'"
    )
    with psycopg.connect(database) as session:
        if table == "pga_job":
            agent = serving(launcher("-l", "2", "-t", "0.5", database))
            job = add_yearly_job(db, "a", {"batch": "sleep 600"})
            make_due(db, job)
            wait_for_start(db, job)
            session.execute(lock)
        else:
            session.execute(lock)
            agent = launcher("-l", "2", database)
        wait_for_row(db, waiting)
        agent.signal(signal.SIGTERM)
        agent.wait_for_log("action=stop")
        agent.signal(signal.SIGTERM)
        assert agent.wait() == 0
        assert "action=stop the server does not answer" in agent.log_text()
    serving(launcher("-l", "2", database))
    wait_for(lambda: agents(db) == 1)
    if table == "pga_job":
        assert statuses(db, job) == [("d", "d")]
    check_sound(db)


def test_a_log_that_nobody_reads_stops_nothing(database: str, db: Db) -> None:
    """What reads the launcher's stderr is gone: it goes on, and ends with status 0."""
    program = shutil.which("pgagent-py", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program
    reader, writer = os.pipe()
    agent = subprocess.Popen([program, "-l", "2", database], stdin=subprocess.DEVNULL, stderr=writer)
    try:
        os.close(writer)
        os.close(reader)
        job = add_yearly_job(db, "a", {"sql": "SELECT 1"})
        make_due(db, job)
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
        agent.terminate()
        assert agent.wait(PATIENCE) == 0
    finally:
        agent.kill()
        agent.wait()


@pytest.mark.parametrize("environment", [{}, {"PGPASSWORD": "secret"}], ids=["", "starts again"])
def test_a_launcher_that_is_told_to_stop_while_it_starts_stops_with_status_0(
    database: str, db: Db, launcher: StartLauncher, environment: dict[str, str]
) -> None:
    """At any moment from its first line on, also while it starts itself again without its secrets."""
    for part in range(12):
        agent = launcher(database, env=environment)
        wait_for(partial(handles_sigterm, agent.pid), every=0.001)
        time.sleep(part * 0.04)
        assert agent.terminate() == 0, agent.log_text()
    wait_for(lambda: agents(db) == 0)


def handles_sigterm(pid: int) -> bool:
    """Return whether a process catches SIGTERM."""
    caught = re.search(r"(?m)^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text())
    assert caught
    return bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_nothing_else_is_imported_before_a_launcher_can_be_told_to_stop() -> None:
    program = "import sys, pgagent_py_launcher.main; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-I", "-c", program], text=True).split()
    ours = {name for name in loaded if name.startswith("pgagent_py_launcher")}
    assert ours == {"pgagent_py_launcher", "pgagent_py_launcher.main"}
    assert not {"asyncio", "argparse", "logging", "psycopg"} & set(loaded)
