"""Launchers that die or are cut off: no record is lost, no step runs twice, nothing is left behind."""

import time
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.conftest import StartLauncher
from tests.helpers import (
    SLEEPING,
    Db,
    add_yearly_job,
    agents,
    alive_at_closing,
    check_sound,
    is_gone,
    make_due,
    output,
    process_of,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_row,
    wait_for_start,
    watch_processes,
)

CONTROL = "SELECT pg_terminate_backend(jagpid) FROM pgagent_py.agent WHERE agent = %s"


@pytest.mark.parametrize("heir", ["another", "itself, restarted"])
def test_steps_die_with_a_killed_launcher_before_their_runs_are_closed(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path, heir: str
) -> None:
    """SIGKILL in the middle of steps: they die with the launcher, and then their runs are closed."""
    victim = serving(launcher("-l", "2", database))
    batch = add_yearly_job(
        db, "batch", {"batch": f"echo started; echo $$ > {tmp_path}/pid; sleep 600 & sleep 600"}
    )
    sql = add_yearly_job(db, "sql", {"sql": "SELECT pg_sleep(600)"})
    make_due(db, batch, sql)
    wait_for_start(db, batch, sql)
    script = process_of(tmp_path / "pid")
    wait_for(lambda: len(script.children()) == 2, what="two children")
    children = script.children()
    (backend,) = wait_for_row(db, SLEEPING)
    if heir == "another":
        serving(launcher("-l", "2", database))
    wait_for(lambda: output(db, batch) == "started\n", what="the output so far")
    watch_processes(db, script, *children, psutil.Process(backend))
    victim.kill()
    if heir != "another":
        serving(launcher("-l", "2", database))
    wait_for_end(db, batch, sql)
    assert all(map(is_gone, [script, *children]))
    assert db.execute(SLEEPING).fetchall() == []
    assert alive_at_closing(db) == [False, False], "closed while a step was still running"
    assert statuses(db, batch) == statuses(db, sql) == [("d", "d")]
    assert output(db, batch) == "started\nThe agent that executed this step is gone."
    assert output(db, sql) == "The agent that executed this step is gone."
    assert agents(db) == 1
    check_sound(db)


def test_scripts_die_before_their_runs_are_closed_even_if_the_guard_dies_too(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """What keeps its batch steps from outliving a launcher dies with it: another one on this host ends them."""
    victim = serving(launcher("-l", "2", database))
    job = add_yearly_job(db, "a", {"batch": f"echo $$ > {tmp_path}/pid; setsid sleep 600 & sleep 600"})
    make_due(db, job)
    script = process_of(tmp_path / "pid")
    wait_for(lambda: len(script.children()) == 2, what="two children")
    family = [script, *script.children()]
    serving(launcher("-l", "2", database))
    guards = [process for process in psutil.Process(victim.pid).children() if process != script]
    assert len(guards) == 1
    watch_processes(db, *family)
    guards[0].kill()
    victim.kill()
    wait_for_end(db, job)
    assert all(map(is_gone, family))
    assert alive_at_closing(db) == [False], "closed while the step was still running"
    assert statuses(db, job) == [("d", "d")]
    check_sound(db)


def test_live_launcher_is_never_reaped(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """It loses its control connection again and again for longer than others wait, and books its steps as they end."""
    cut_off = serving(launcher("-l", "2", "--workers", "2", database))
    (agent,) = wait_for_row(db, "SELECT agent FROM pgagent_py.agent")
    db.execute("SELECT pg_advisory_lock(1)")
    gate = tmp_path / "gate"
    code = f"echo x >> {tmp_path}/effect; while [ ! -e {gate} ]; do sleep 0.1; done; echo done"
    batch = add_yearly_job(db, "batch", {"batch": code})
    sql = add_yearly_job(
        db,
        "sql",
        {"sql": "CREATE TABLE effect (); SELECT pg_advisory_lock_shared(1)"},
        {"batch": "echo next"},
    )
    make_due(db, batch, sql)
    wait_for_start(db, batch, sql)
    other = serving(launcher("-l", "2", database))
    begin, cuts = time.monotonic(), 0
    while cuts < 10 or time.monotonic() < begin + 8:
        wait_for(lambda: cut_off.log_text().count("action=serve") > cuts, what="its return")  # noqa: B023
        db.execute(CONTROL, [agent])
        cuts += 1
    gate.touch()
    db.execute("SELECT pg_advisory_unlock(1)")
    wait_for_end(db, batch, sql)
    assert statuses(db, sql) == [("s", "ss")]
    assert statuses(db, batch) == [("s", "s")]
    assert output(db, batch) == "done\n"
    assert (tmp_path / "effect").read_text() == "x\n"
    assert "action=start_step" not in other.log_text()
    stop(other)
    stop(cut_off)
    assert agents(db) == 0
    check_sound(db)


def test_a_locked_job_does_not_cost_the_identity(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """The launcher comes back while a session has one of its jobs locked: that job moves later."""
    serving(launcher("-l", "2", database))
    gate = {"batch": f"while [ ! -e {tmp_path}/gate ]; do sleep 0.1; done"}
    locked, other = (add_yearly_job(db, name, gate, {"sql": "SELECT 1"}) for name in ("a", "b"))
    make_due(db, locked, other)
    wait_for_start(db, locked, other)
    serving(launcher("-l", "2", database))
    with psycopg.connect(database) as session:
        session.execute("SELECT FROM pgagent.pga_job WHERE jobid = %s FOR UPDATE", [locked])
        db.execute("SELECT pg_terminate_backend(jobagentid) FROM pgagent.pga_job WHERE jobid = %s", [locked])
        (tmp_path / "gate").touch()
        wait_for_end(db, other)
        assert statuses(db, other) == [("s", "ss")]
        # Longer than the others wait for an agent that is gone: until they have struck off one that went after it
        with psycopg.connect(database, autocommit=True) as gone:
            gone.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'gone')")
        wait_for(
            lambda: value(db, "SELECT count(*) FROM pgagent.pga_jobagent WHERE jagstation = 'gone'") == 0
        )
        assert statuses(db, locked) == [("r", "r")]
    wait_for_end(db, locked)
    assert statuses(db, locked) == [("s", "ss")]
    wait_for(lambda: agents(db) == 2)
    check_sound(db)
