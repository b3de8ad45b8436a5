"""The cost of a launcher while all jobs sleep."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import LiteralString

from .agents import daemon, launchers
from .drain import warm_up
from .report import Report, Target
from .servers import Db, Server, add_jobs, count, cpu_seconds, memory_mib

Agent = Callable[[Server, str], AbstractContextManager[list[int]]]
TRANSACTIONS: LiteralString = """
SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s"""
SCANNED: LiteralString = """
SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_user_tables WHERE schemaname = 'pgagent'"""


def measure(report: Report, server: Server, quick: bool) -> None:
    """Ours with 200 and 100,000 sleeping jobs, the daemon with 200."""
    seconds = 5.0 if quick else 30.0
    report.heading(f"Idle for {seconds:g} s")
    for jobs in (200, 100_000):
        with server.database("ours", "pgagent_py") as db:
            add_jobs(db, jobs)
            targets = [Target(1), Target(2), Target(60)]
            _measure(report, server, db, launchers, "ours", f"pgagent_py, {jobs:,} jobs", seconds, targets)
    with server.database("theirs", "pgagent") as db:
        add_jobs(db, 200)
        _measure(report, server, db, daemon, "theirs", "C++ daemon -t 1, 200 jobs", seconds, [None] * 3)


def _measure(
    report: Report,
    server: Server,
    db: Db,
    agent: Agent,
    name: str,
    title: str,
    seconds: float,
    targets: Sequence[Target | None],
) -> None:
    db.execute("UPDATE pgagent.pga_job SET jobenabled = true, jobnextrun = now() + interval '1 day'")
    db.execute("VACUUM ANALYZE")
    with agent(server, name) as (pid,), server.connect("postgres") as outside:
        if name == "ours":
            warm_up(db)
        time.sleep(12)  # a backend may keep its statistics for ten seconds
        rows, transactions, cpu = count(db, SCANNED), count(outside, TRANSACTIONS, [name]), cpu_seconds(pid)
        time.sleep(seconds)
        transactions = count(outside, TRANSACTIONS, [name]) - transactions
        cpu = cpu_seconds(pid) - cpu
        time.sleep(1)
        rows = count(db, SCANNED) - rows
        report.add(f"{title}: transactions", transactions / seconds, "per s", targets[0])
        report.add("  processor time of the agent", 1000 * cpu / seconds, "ms/s", targets[1])
        report.add("  its memory", memory_mib(pid), "MiB", targets[2])
        report.add("  rows of pgagent's tables read", rows / seconds, "per s")
