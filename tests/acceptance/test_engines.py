"""Batch steps on a real Slurm cluster on this machine."""

import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    Cluster,
    Db,
    add_job,
    call,
    first_step,
    output,
    rows,
    run_now,
    run_statuses,
    run_to_end,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_row,
)
from tests.helpers.slurm import NODES, Slurm
from tests.helpers.sql import copy_database


def slurm_job(db: Db, name: str, script: str, **options: object) -> int:
    """Return a job with one step on Slurm."""
    return add_job(db, name, {"batch": script, "engine": "slurm", **options})


def test_a_step_runs_on_the_cluster(db: Db, start: StartLauncher) -> None:
    one = start()
    script = (
        "echo out; echo err >&2; printf '\\377\\n'; echo $PGAGENT_JOB_NAME $SLURM_JOB_NUM_NODES; pwd; "
        "srun sh -c 'echo task of $PGAGENT_JOB_NAME'; exit 3"
    )
    job = slurm_job(db, 'it\'s a "job"', script, engine_options='{"cpus-per-task": 2, "time": "10"}')
    assert run_to_end(db, job).status == "f"
    text = output(db, job)
    assert 'out\n\ufffd\nit\'s a "job" 1\n' in text
    assert 'task of it\'s a "job"\n' in text
    assert "Standard error:\nerr\n" in text
    assert "Slurm job" in text
    assert value(db, "SELECT jslresult FROM pgagent.pga_jobsteplog") == 3
    call(db, "alter_step", first_step(db, job), batch="kill -9 $$")
    assert run_to_end(db, job).status == "f"
    assert "killed by signal 9" in output(db, job)
    call(db, "alter_step", first_step(db, job), engine="slurm --partition=nowhere")
    assert run_to_end(db, job).status == "f"
    assert "invalid partition" in output(db, job).lower()
    stop(one)


def test_a_step_outlives_its_launcher(db: Db, start: StartLauncher, tmp_path: Path) -> None:
    """Killed, told to stop, or drained: the next launcher goes on with the run, and the script is executed once."""
    began, go = tmp_path / "began", tmp_path / "go"
    job = slurm_job(db, "job", f"echo x >> {began}; while [ ! -e {go} ]; do sleep 0.1; done; echo done")
    call(db, "add_step", job, "second", sql="SELECT 1")
    one = start()
    run_now(db, job)
    wait_for(began.exists, what="the script")
    one.kill()
    two = start()
    wait_for_row(db, "SELECT 1 FROM pgagent_py.run r JOIN pgagent_py.launchers l ON l.launcher = r.agent")
    stop(two)
    three = start("--exit-when-drained")
    wait_for_row(db, "SELECT 1 FROM pgagent_py.run r JOIN pgagent_py.launchers l ON l.launcher = r.agent")
    three.signal(signal.SIGUSR1)
    assert three.wait() == 0
    assert statuses(db, job) == [("r", "r")]
    start()
    go.touch()
    wait_for_end(db, job)
    assert statuses(db, job) == [("s", "ss")], output(db, job)
    assert began.read_text() == "x\n"
    assert "done" in output(db, job)


def test_steps_on_the_cluster_are_as_on_the_launcher(
    db: Db, start: StartLauncher, slurm: Slurm, tmp_path: Path
) -> None:
    """Output is seen while it grows, and is bounded; a step ends after its timeout; a node is drained under a step."""
    go = tmp_path / "go"
    growing = slurm_job(
        db, "growing", f"hostname; echo first; while [ ! -e {go} ]; do sleep 0.1; done; echo last"
    )
    much = slurm_job(db, "much", "yes '\xff\xe2\x82' | head -c 100000000; printf end")
    late = slurm_job(db, "late", f"trap '' TERM; echo $$ > {tmp_path}/late; sleep 600")
    call(db, "alter_step", first_step(db, late), timeout="2 s")
    one = start()
    memory = psutil.Process(one.process.pid).memory_info().rss
    run_now(db, growing, much, late)
    wait_for(lambda: "first" in output(db, growing), what="its output")
    for node in NODES:
        slurm.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    wait_for_end(db, late, much)
    assert run_statuses(db, late) == "f"
    assert "stopped after its timeout" in output(db, late)
    text = output(db, much)
    assert (run_statuses(db, much), "bytes cut" in text) == ("s", True)
    assert len(text) < 1_100_000
    assert psutil.Process(one.process.pid).memory_info().rss < memory + 50_000_000
    assert run_statuses(db, growing) == "r"
    go.touch()
    wait_for_end(db, growing)
    assert run_statuses(db, growing) == "s"
    assert "last" in output(db, growing)
    assert not psutil.pid_exists(int((tmp_path / "late").read_text()))
    slurm.resume()
    stop(one)


def test_a_cancel_may_come_before_the_id(db: Db, start: StartLauncher, tmp_path: Path) -> None:
    """While sbatch has not answered. The script does not begin. Where there is no sbatch, the step says what to install."""
    tools = tmp_path / "bin"
    tools.mkdir()
    sbatch = tools / "sbatch"
    sbatch.write_text(f'#!/bin/sh\ntouch {tmp_path}/asked; sleep 1; exec {shutil.which("sbatch")} "$@"\n')
    sbatch.chmod(0o755)
    one = start(env={"PATH": f"{tools}:{os.environ['PATH']}"})
    job = slurm_job(db, "job", f"touch {tmp_path}/began")
    run_now(db, job)
    wait_for((tmp_path / "asked").exists, what="sbatch")
    call(db, "cancel_run", value(db, "SELECT jlgid FROM pgagent_py.run"))
    wait_for_end(db, job)
    assert run_statuses(db, job) == "d"
    stop(one)
    sbatch.unlink()
    two = start(env={"PATH": str(tools)})
    assert run_to_end(db, job).status == "f"
    assert "sbatch is not found: install Slurm's commands" in output(db, job)
    assert not (tmp_path / "began").exists()
    stop(two)


@pytest.mark.long
def test_a_job_that_slurm_does_not_know_has_failed(
    db: Db, start: StartLauncher, slurm: Slurm, tmp_path: Path
) -> None:
    """It has begun, and left no exit code; then slurmctld lost its memory."""
    began, go, killed = tmp_path / "began", tmp_path / "go", tmp_path / "killed"
    script = f"touch {began}; while [ ! -e {go} ]; do sleep 0.1; done; kill -9 $PPID; touch {killed}"
    job = slurm_job(db, "job", script)
    one = start()
    run_now(db, job)
    wait_for(began.exists, what="the script")
    slurm.kill_ctld()
    go.touch()
    wait_for(killed.exists, what="the end of the wrapper")
    shutil.rmtree(slurm.directory / "state")
    (slurm.directory / "state").mkdir()
    slurm.start_ctld()
    wait_for_end(db, job)
    assert run_statuses(db, job) == "f"
    assert "Slurm does not know the job (any more), and the script left no exit code" in output(db, job)
    stop(one)


def test_databases_share_a_cluster(db: Db, cluster: Cluster, start: StartLauncher, engine_dir: Path) -> None:
    """Their jobs and files have other names, although the numbers of their runs are the same."""
    one = start()
    run_to_end(db, slurm_job(db, "job", "echo one"))
    name = f"{db.info.dbname}_too"
    copy_database(db, TEMPLATE, name)
    two = start(cluster.conninfo(name))
    with cluster.connect(name) as other:
        job = slurm_job(other, "job", "echo two")
        assert run_to_end(other, job).status == "s"
        assert output(other, job).startswith("two\n")
    for launcher in (one, two):
        stop(launcher)
    db.execute(f"DROP DATABASE {name}".encode())
    names = [path.name.split("-") for path in engine_dir.glob("*.started")]
    (one_server, one_base, *one_run), (server, base, *run) = (name[1:-1] for name in names)
    assert (one_server, one_run) == (server, run)
    assert one_base != base


def test_steps_wait_in_the_queue_and_are_cancelled(db: Db, start: StartLauncher, slurm: Slurm) -> None:
    one = start("--workers=1")
    jobs = [slurm_job(db, f"job {n}", "sleep 600", engine_options='{"exclusive": true}') for n in range(5)]
    run_now(db, *jobs)
    wait_for(lambda: any("Waiting in Slurm's queue" in output(db, job) for job in jobs), what="the queue")
    runs = [run for (run,) in rows(db, "SELECT jlgid FROM pgagent.pga_joblog WHERE jlgstatus = 'r'")]
    assert len(runs) == 5
    assert rows(db, "SELECT places, free, running FROM pgagent_py.launchers") == [(1, 1, 5)]
    for run in runs[:-1]:
        call(db, "cancel_run", run)
    db.execute("UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL WHERE jobid = %s", [jobs[-1]])
    wait_for(lambda: not slurm.run("squeue", "-h", "-t", "pending,running"), what="an empty cluster")
    for job in jobs:
        wait_for(lambda job=job: run_statuses(db, job) == "d", what="the end")  # type: ignore[misc]
    stop(one)
