"""Batch steps on engines: a real Slurm cluster on this machine."""

from pathlib import Path

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    add_job,
    call,
    first_step,
    is_gone,
    output,
    process_of,
    rows,
    run_now,
    run_statuses,
    run_to_end,
    serving,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_row,
)
from tests.helpers.slurm import Slurm
from tests.helpers.sshd import Sshd


def slurm_job(db: Db, name: str, script: str, **options: object) -> int:
    """Return a job with one step on Slurm."""
    return add_job(db, name, {"batch": script, "engine": "slurm", **options})


def test_a_step_runs_on_the_cluster(db: Db, start: StartLauncher) -> None:
    one = start()
    script = (
        "echo out; echo err >&2; printf '\\377\\n'; echo $PGAGENT_JOB_NAME $SLURM_JOB_NUM_NODES; pwd; exit 3"
    )
    job = slurm_job(db, 'it\'s a "job"', script, engine_options='{"cpus-per-task": 2, "time": "10"}')
    assert run_to_end(db, job).status == "f"
    text = output(db, job)
    assert 'out\n\ufffd\nit\'s a "job" 1\n' in text
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
    """Killed, or told to stop: the next launcher goes on with the run, and the script is executed once."""
    began, go = tmp_path / "began", tmp_path / "go"
    job = slurm_job(db, "job", f"echo x >> {began}; while [ ! -e {go} ]; do sleep 0.1; done; echo done")
    one = start()
    run_now(db, job)
    wait_for(began.exists, what="the script")
    one.kill()
    two = start()
    wait_for_row(db, "SELECT 1 FROM pgagent_py.run r JOIN pgagent_py.launchers l ON l.launcher = r.agent")
    stop(two)
    assert run_statuses(db, job) == "r"
    start()
    go.touch()
    wait_for_end(db, job)
    assert run_statuses(db, job) == "s", output(db, job)
    assert began.read_text() == "x\n"
    assert "done" in output(db, job)


def test_steps_wait_in_the_queue_and_are_cancelled(db: Db, start: StartLauncher, slurm: Slurm) -> None:
    one = start("--workers=1")
    jobs = [slurm_job(db, f"job {n}", "sleep 600", engine_options='{"exclusive": true}') for n in range(5)]
    run_now(db, *jobs)
    wait_for(lambda: any("Waiting in Slurm's queue" in output(db, job) for job in jobs), what="the queue")
    runs = [run for (run,) in rows(db, "SELECT jlgid FROM pgagent.pga_joblog WHERE jlgstatus = 'r'")]
    assert len(runs) == 5
    for run in runs[:-1]:
        call(db, "cancel_run", run)
    db.execute("UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL WHERE jobid = %s", [jobs[-1]])
    wait_for(lambda: not slurm.run("squeue", "-h", "-t", "pending,running"), what="an empty cluster")
    for job in jobs:
        wait_for(lambda job=job: run_statuses(db, job) == "d", what="the end")  # type: ignore[misc]
    stop(one)


def test_steps_run_over_ssh(
    db: Db, database: str, sshd: Sshd, launcher: StartLauncher, tmp_path: Path
) -> None:
    """Also one whose host is not known, one that is cancelled, and one whose connection is lost: that is no success."""
    one = serving(launcher("-l2", database, env={"HOME": str(sshd.home)}))
    engine = f"ssh --host=127.0.0.1 --user={sshd.options['user']} --port={sshd.port}"
    step = {"batch": "echo out; echo err >&2; echo $PGAGENT_JOB_NAME; exit 3", "engine": engine}
    job = add_job(db, "job name", step)
    assert run_to_end(db, job).status == "f"
    assert output(db, job) == "out\njob name\nStandard error:\nerr\n"
    assert value(db, "SELECT jslresult FROM pgagent.pga_jobsteplog") == 3
    marker = tmp_path / "child"
    long = {"batch": f"sleep 600 & echo $! > {marker}; wait", "engine": engine}
    cancelled = add_job(db, "cancelled", long)
    run_now(db, cancelled)
    child = process_of(marker)
    call(db, "cancel_run", value(db, "SELECT max(jlgid) FROM pgagent.pga_joblog"))
    wait_for_end(db, cancelled)
    wait_for(lambda: is_gone(child), what="the end of the child")
    lost = add_job(db, "lost", {"batch": f"echo $$ > {marker}.2; exec sleep 600", "engine": engine})
    run_now(db, lost)
    process_of(Path(f"{marker}.2"))
    sshd.kill()
    wait_for_end(db, lost)
    assert (run_statuses(db, lost), run_statuses(db, cancelled)) == ("f", "d")
    assert "was lost" in output(db, lost)
    sshd.know((sshd.home / ".ssh/id_ed25519.pub").read_text())
    sshd.start()
    assert run_to_end(db, job).status == "f"
    assert "Host key is not trusted" in output(db, job)
    stop(one)
