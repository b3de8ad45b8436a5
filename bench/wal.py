"""Write-ahead log: how much a run of a one-step job writes, ours beside the daemon's."""

from __future__ import annotations

import time

from .agents import daemon, launchers
from .drain import ENDED
from .report import Report, Target
from .servers import Db, Server, add_jobs, count, forget_runs, wait_until_quiet

# All jobs fall due together, after the write-ahead log has been looked at.
DUE_SOON = "UPDATE pgagent.pga_job SET jobenabled = true, jobnextrun = now() + interval '2 s'"
POSITION = "SELECT pg_current_wal_insert_lsn() - '0/0'"


def measure(report: Report, fsync: bool, quick: bool) -> None:
    """Measure both on a server that writes no whole pages: those depend on when the last checkpoint was."""
    jobs, rounds = (100, 2) if quick else (300, 5)
    report.heading("Write-ahead log of one run of a one-step SQL job")
    server = Server(fsync, full_page_writes="off")
    try:
        written: dict[str, float] = {}
        for name, extension, agent in (("ours", "pgagent_py", launchers), ("theirs", "pgagent", daemon)):
            with server.database(name, extension) as db:
                add_jobs(db, jobs)
                with agent(server, name):
                    found = [_round(db, jobs, name == "ours") for _ in range(rounds + 1)][
                        1:
                    ]  # the first one warms up
            title = "pgagent_py" if name == "ours" else "C++ daemon"
            written[name] = report.add(title, found, "bytes")
        report.add("  pgagent_py to the daemon", written["ours"] / written["theirs"], "times", Target(1.5))
    finally:
        server.close()


def _round(db: Db, jobs: int, ours: bool) -> float:
    """Return how many bytes a run writes."""
    forget_runs(db)
    db.execute("CHECKPOINT")
    db.execute(DUE_SOON)
    if ours:
        db.execute("DELETE FROM pgagent_py.job_origin")  # as if it were a time of their schedules
    before = count(db, POSITION)
    wait_until_quiet(lambda: count(db, ENDED), jobs, 20, 120)
    time.sleep(1)  # the daemon releases a job after its log has ended
    return (count(db, POSITION) - before) / max(count(db, ENDED), 1)
