"""Faults while steps are on a Slurm cluster: nothing is lost, and nothing is executed twice."""

import secrets
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random

from tests.conftest import StartLauncher
from tests.helpers import (
    PATIENCE,
    Db,
    Launcher,
    add_job,
    call,
    forms,
    rows,
    run_now,
    stop,
    value,
    wait_for,
    wait_for_row,
)
from tests.helpers.slurm import Slurm

JOBS = 3  # between two faults


class Faults:
    """What goes wrong, at random."""

    def __init__(self, db: Db, start: StartLauncher, slurm: Slurm, random: Random, engine_dir: Path) -> None:
        """Start a launcher."""
        self.db, self.slurm, self.random, self.engine_dir = db, slurm, random, engine_dir
        self._start = start
        self.launcher: Launcher = start()
        self.counts: Counter[str] = Counter()

    def strike(self, kind: str) -> None:
        """Let this happen, and see to it that all goes on."""
        self.counts[kind] += 1
        getattr(self, kind)()

    def kill_launcher(self) -> None:
        """Kill the launcher at any moment, and start another."""
        self.launcher.kill()
        self.launcher = self._start()

    def stop_launcher(self) -> None:
        """Stop the launcher, as systemd does, and start another."""
        stop(self.launcher)
        self.launcher = self._start()

    def end_connections(self) -> None:
        """End the launcher's sessions."""
        self.db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgagent%'"
        )

    def stop_ctld(self) -> None:
        """Let slurmctld be away for a while."""
        self.slurm.stop_ctld()
        time.sleep(self.random.random() * 2)
        self.slurm.start_ctld()

    def kill_ctld(self) -> None:
        """Kill slurmctld, which forgets the jobs of its last seconds."""
        self.slurm.kill_ctld()
        self.slurm.start_ctld()
        self.slurm.resume(self.engine_dir)

    def wait_for_end(self) -> None:
        """Wait until no job is due or in progress, as long as one after the other ends."""
        while left := self._left():
            wait_for(partial(self._is_less, left), 3 * PATIENCE, "the end of a run", every=1)

    def _left(self) -> int:
        query = "SELECT count(*) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL OR jobnextrun <= now()"
        return int(value(self.db, query))

    def _is_less(self, left: int) -> bool:
        self.slurm.resume(self.engine_dir)
        return self._left() < left

    def cancel(self) -> None:
        """Cancel one of the runs in progress, even before its id on the cluster is known."""
        found = rows(self.db, "SELECT jlgid FROM pgagent_py.run ORDER BY jlgid DESC LIMIT %s", JOBS)
        if found:
            call(self.db, "cancel_run", self.random.choice(found)[0])


OFTEN = ("kill_launcher", "stop_ctld", "kill_launcher", "end_connections", "cancel", "stop_launcher")


@forms(6, 500)
def test_nothing_is_lost_or_executed_twice(
    db: Db, start: StartLauncher, slurm: Slurm, engine_dir: Path, tmp_path: Path, size: int
) -> None:
    """Only what slurmctld has forgotten when it was killed may fail, and says so."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    random = Random(seed)
    log = tmp_path / "log"
    faults = Faults(db, start, slurm, random, engine_dir)
    jobs = []
    for number in range(size):
        for n in range(JOBS):
            seconds = random.random()
            script = f"echo b $PGAGENT_RUN_ID >> {log}; sleep {seconds}; echo e $PGAGENT_RUN_ID >> {log}"
            jobs.append(add_job(db, f"job {number}.{n}", {"batch": script, "engine": "slurm"}))
        run_now(db, *jobs[-JOBS:])
        wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s", jobs[-1])
        time.sleep(random.random() * 0.7)
        # The short form has each once. What dies with slurmctld takes a minute until it is found lost.
        faults.strike(OFTEN[number] if size == len(OFTEN) else random.choice((*OFTEN, "kill_ctld")))
    faults.wait_for_end()
    check(db, jobs, log, faults)
    faults.launcher.signal(signal.SIGTERM)


def check(db: Db, jobs: list[int], log: Path, faults: Faults) -> None:
    """Compare what the database says with what was executed."""
    told = Counter(tuple(line.split()) for line in log.read_text().splitlines())
    ends = rows(
        db,
        """
        SELECT l.jlgid::text, l.jlgstatus::text, coalesce(s.jsloutput, ''), o.jlgcancelledby IS NOT NULL
          FROM pgagent.pga_joblog l LEFT JOIN pgagent.pga_jobsteplog s ON s.jsljlgid = l.jlgid
          LEFT JOIN pgagent_py.run_option o ON o.jlgid = l.jlgid""",
    )
    found = Counter(status for _, status, _, _ in ends)
    print(f"faults {dict(faults.counts)}, runs {dict(found)}")
    assert len(ends) == len(jobs)
    for run, status, text, cancelled in ends:
        begun, ended = told["b", run], told["e", run]
        assert begun <= 1, f"run {run} was executed {begun} times"
        if status == "s":
            assert (begun, ended) == (1, 1), f"run {run} has not been executed: {text}"
        elif not cancelled:
            assert status == "f", (run, status, text)
            assert "Slurm does not know" in text or "Slurm says" in text, (run, text)
            assert faults.counts["kill_ctld"], (run, text)
