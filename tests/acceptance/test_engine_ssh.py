"""Batch steps over ssh, with a real server on this machine."""

import time
from pathlib import Path
from random import Random

import psutil

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    add_job,
    call,
    first_step,
    forms,
    is_gone,
    output,
    process_of,
    run_now,
    run_statuses,
    run_to_end,
    serving,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_start,
)
from tests.helpers.sshd import Sshd


def engine(sshd: Sshd) -> str:
    """Return the step's engine for the server."""
    return f"ssh --host=127.0.0.1 --user={sshd.options['user']} --port={sshd.port}"


def test_steps_run_over_ssh(
    db: Db, database: str, sshd: Sshd, launcher: StartLauncher, tmp_path: Path
) -> None:
    """Also one whose host is not known, one that is cancelled, and one whose connection is lost: that is no success."""
    one = serving(launcher("-l2", database, env={"HOME": str(sshd.home)}))
    step = {
        "batch": "echo out; echo err >&2; echo $PGAGENT_JOB_NAME; printf '\\377\\n'; exit 3",
        "engine": engine(sshd),
    }
    job = add_job(db, "job name", step)
    assert run_to_end(db, job).status == "f"
    assert output(db, job) == "out\njob name\n\ufffd\nStandard error:\nerr\n"
    assert value(db, "SELECT jslresult FROM pgagent.pga_jobsteplog") == 3
    marker = tmp_path / "child"
    long = {"batch": f"sleep 600 & echo $! > {marker}; wait", "engine": engine(sshd)}
    cancelled = add_job(db, "cancelled", long)
    run_now(db, cancelled)
    child = process_of(marker)
    call(db, "cancel_run", value(db, "SELECT max(jlgid) FROM pgagent.pga_joblog"))
    wait_for_end(db, cancelled)
    wait_for(lambda: is_gone(child), what="the end of the child")
    lost = add_job(db, "lost", {"batch": f"echo $$ > {marker}.2; exec sleep 600", "engine": engine(sshd)})
    run_now(db, lost)
    process_of(Path(f"{marker}.2"))
    sshd.kill()
    wait_for_end(db, lost)
    assert (run_statuses(db, lost), run_statuses(db, cancelled)) == ("f", "d")
    assert "was lost" in output(db, lost)
    sshd.start()
    config = f"Host app1\n  HostName 127.0.0.1\n  Port {sshd.port}\n"
    (sshd.home / ".ssh/config").write_text(config)
    call(db, "alter_step", first_step(db, job), engine="ssh --host=app1")
    assert run_to_end(db, job).status == "f"
    assert "out\n" in output(db, job)
    # Wherever it is read from now on, and whatever the configuration says. No connection that is open is used.
    sshd.kill()
    sshd.know((sshd.home / ".ssh/id_ed25519.pub").read_text())
    sshd.start()
    for line in ("", "  UserKnownHostsFile none\n  StrictHostKeyChecking no\n"):
        (sshd.home / ".ssh/config").write_text(config + line)
        assert run_to_end(db, job).status == "f"
        assert "Host key is not trusted" in output(db, job)
    (sshd.home / ".ssh/config").unlink()
    sshd.know((sshd.directory / "host_key.pub").read_text())
    call(db, "alter_step", first_step(db, job), engine="ssh --host=127.0.0.1 --port=ssh")
    assert run_to_end(db, job).status == "f"
    assert 'the engine option "port" has to be a number' in output(db, job)
    stop(one)


def test_a_step_that_ignores_its_timeout_is_killed(
    db: Db, database: str, sshd: Sshd, launcher: StartLauncher, tmp_path: Path
) -> None:
    one = serving(launcher("-l2", database, env={"HOME": str(sshd.home)}))
    marker = tmp_path / "script"
    script = f"trap '' TERM; echo $$ > {marker}; while :; do sleep 0.1; done"
    job = add_job(db, "job", {"batch": script, "engine": engine(sshd)})
    call(db, "alter_step", first_step(db, job), timeout="1 s")
    run_now(db, job)
    process = process_of(marker)
    wait_for_end(db, job)
    assert run_statuses(db, job) == "f"
    assert "stopped after its timeout" in output(db, job)
    assert "may go on there" not in output(db, job)
    wait_for(lambda: is_gone(process), what="the end of the script")
    stop(one)


def test_steps_share_connections(
    db: Db, database: str, sshd: Sshd, launcher: StartLauncher, tmp_path: Path
) -> None:
    """Six each; their output is bounded; there is room to end them."""
    before = sshd.logins()
    one = serving(launcher("-l2", database, env={"HOME": str(sshd.home)}))
    memory = psutil.Process(one.process.pid).memory_info().rss
    go = tmp_path / "go"
    script = f"while [ ! -e {go} ]; do sleep 0.05; done"
    jobs = [add_job(db, f"job {n}", {"batch": script, "engine": engine(sshd)}) for n in range(12)]
    run_now(db, *jobs)
    wait_for_start(db, *jobs)
    call(db, "cancel_run", value(db, "SELECT max(jlgid) FROM pgagent_py.run"))
    wait_for(lambda: value(db, "SELECT count(*) FROM pgagent_py.run") == 11, what="the cancelled one")
    go.touch()
    wait_for_end(db, *jobs)
    assert sorted(run_statuses(db, job) for job in jobs) == ["d"] + ["s"] * 11
    assert sshd.logins() == before + 2
    much = add_job(db, "much", {"batch": "yes | head -c 100000000", "engine": engine(sshd)})
    assert run_to_end(db, much).status == "s"
    assert "bytes cut" in output(db, much)
    assert len(output(db, much)) < 1_100_000
    assert psutil.Process(one.process.pid).memory_info().rss < memory + 50_000_000
    stop(one)


@forms(2, 60)
def test_a_step_is_no_success_when_the_server_is_killed(
    db: Db, database: str, sshd: Sshd, launcher: StartLauncher, tmp_path: Path, size: int
) -> None:
    """At any moment: before it has the script, while that runs, and at its end."""
    one = serving(launcher("-l2", database, env={"HOME": str(sshd.home)}))
    random, log = Random(), tmp_path / "log"
    log.touch()
    for number in range(size):
        script = f"echo b{number} >> {log}; sleep 0.1; echo e{number} >> {log}"
        job = add_job(db, f"job {number}", {"batch": script, "engine": engine(sshd)})
        run_now(db, job)
        wait_for_start(db, job)
        time.sleep(random.random() * 0.4)
        sshd.kill()
        wait_for_end(db, job)
        status, told = run_statuses(db, job), log.read_text().split()
        assert told.count(f"b{number}") <= 1
        if status == "s":
            assert f"e{number}" in told
        else:
            assert status == "f"
            assert "connection" in output(db, job).lower(), output(db, job)
        sshd.start()
    assert run_to_end(db, add_job(db, "last", {"batch": "true", "engine": engine(sshd)})).status == "s"
    stop(one)


def test_without_asyncssh_the_step_says_what_to_install(
    db: Db, database: str, sshd: Sshd, launcher: StartLauncher, tmp_path: Path
) -> None:
    (tmp_path / "asyncssh.py").write_text("raise ImportError\n")
    one = serving(launcher("-l2", database, env={"PYTHONPATH": str(tmp_path)}))
    job = add_job(db, "job", {"batch": "true", "engine": engine(sshd)})
    assert run_to_end(db, job).status == "f"
    assert "asyncssh is not installed: pip install 'pgagent_py[ssh]'" in output(db, job)
    stop(one)
