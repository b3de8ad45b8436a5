"""From being told to run, or falling due, to the first statement of the step."""

from __future__ import annotations

import random
import threading
import time

from .agents import daemon, launchers
from .drain import warm_up
from .report import Report, Target, percentile
from .servers import Db, Server, add_jobs, forget_runs

LOAD = 200  # jobs per second
RUN_NOW = "UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid = %s"


def measure(report: Report, server: Server, quick: bool) -> None:
    """Run-now of an idle and of a busy launcher, lateness of jobs that fall due, and the daemon's."""
    report.heading("Latency until the first statement of the step")
    samples = 50 if quick else 300
    with server.database("ours", "pgagent_py") as db:
        add_jobs(db, 1_000)
        with launchers(server, "ours"):
            warm_up(db)
            _add(report, "run-now, idle", _run_now(db, samples, 0.03), Target(10), Target(50))
            seconds = 3 if quick else 15
            _add(report, f"run-now, {LOAD} jobs/s", _under_load(server, db, seconds), Target(10), Target(50))
            _add(report, "falls due by its schedule", _lateness(db, samples), Target(10))
    with server.database("theirs", "pgagent") as db:
        add_jobs(db, 20)
        db.execute("UPDATE pgagent.pga_job SET jobenabled = true, jobnextrun = now() + interval '1 day'")
        with daemon(server, "theirs"):
            _add(report, "run-now, C++ daemon -t 1, idle", _run_now(db, 5 if quick else 20, 0.4))


def _add(
    report: Report, what: str, late: list[float], median: Target | None = None, last: Target | None = None
) -> None:
    report.add(f"{what}: median of {len(late):,}", percentile(late, 0.5), "ms", median)
    report.add("  99th percentile", percentile(late, 0.99), "ms", last)


def _run_now(db: Db, samples: int, pause: float) -> list[float]:
    """Tell one job after another to run, *pause* seconds apart at least; return milliseconds."""
    jobs = [row[0] for row in db.execute("SELECT jobid FROM pgagent.pga_job ORDER BY 1")]
    forget_runs(db)
    late = []
    for index in range(samples):
        job = jobs[index % len(jobs)]
        db.execute("DELETE FROM hit")
        told = time.time()
        db.execute(RUN_NOW, [job])
        late.append(1000 * (_first_hit(db, job) - told))
        time.sleep(pause * random.uniform(1, 2))
    return late


def _first_hit(db: Db, job: int) -> float:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        row = db.execute("SELECT extract(epoch FROM at)::float8 FROM hit WHERE job = %s", [job]).fetchone()
        if row is not None:
            return float(row[0])
        time.sleep(0.005)
    raise TimeoutError(f"job {job} did not run")


def _under_load(server: Server, db: Db, seconds: float) -> list[float]:
    """Tell *LOAD* jobs per second to run, evenly, from two clients; return milliseconds of each."""
    jobs = [row[0] for row in db.execute("SELECT jobid FROM pgagent.pga_job ORDER BY 1 LIMIT 1000")]
    forget_runs(db)
    told: list[tuple[int, float]] = []

    def client(first: int) -> None:
        with server.connect("ours") as own:
            begin = time.monotonic()
            for tick in range(int(seconds * LOAD / 2)):
                time.sleep(max(begin + tick * 2 / LOAD - time.monotonic(), 0))
                job = jobs[(2 * tick + first) % len(jobs)]
                told.append((job, time.time()))
                own.execute(RUN_NOW, [job])

    clients = [threading.Thread(target=client, args=(first,)) for first in (0, 1)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    time.sleep(1)  # the last steps
    return _match(db, told)


def _match(db: Db, told: list[tuple[int, float]]) -> list[float]:
    """Return how long after each order its job ran first."""
    ran: dict[int, list[float]] = {}
    for job, at in db.execute("SELECT job, extract(epoch FROM at)::float8 FROM hit ORDER BY at"):
        ran.setdefault(job, []).append(at)
    return [1000 * (min(at for at in ran[job] if at >= when) - when) for job, when in told]


def _lateness(db: Db, samples: int) -> list[float]:
    """Let jobs fall due at random moments of some seconds; return how many milliseconds later each ran."""
    forget_runs(db)
    due = """
        UPDATE pgagent.pga_job SET jobnextrun = clock_timestamp() + interval '1 s' + random() * interval '10 ms' * %(count)s
         WHERE jobid IN (SELECT jobid FROM pgagent.pga_job ORDER BY 1 LIMIT %(count)s) RETURNING jobid, jobnextrun"""
    told = [(job, at.timestamp()) for job, at in db.execute(due, {"count": samples})]
    time.sleep(max(at for _, at in told) - time.time() + 1)
    return _match(db, told)
