"""Many jobs due at once: how fast they run, how many get lost or run twice, how much memory it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import LiteralString

from .agents import WORKERS, bare_loops, bare_spawns, daemon, launchers
from .report import Report, Target
from .servers import HIT, Db, Server, add_jobs, count, forget_runs, memory_mib, wait_until_quiet

SCRIPT = "#!/bin/sh\ntrue\n"
LOSSLESS = Target(0)
ENDED: LiteralString = "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus <> 'r'"


@dataclass(frozen=True, slots=True)
class Drained:
    """How one round went; *rate* in jobs per second."""

    rate: float
    lost: int
    repeated: int


def make_due(db: Db, jobs: int) -> None:
    """Let the first *jobs* jobs be due now, all others in a day."""
    db.execute("UPDATE pgagent.pga_job SET jobagentid = NULL WHERE jobagentid IS NOT NULL")
    db.execute("UPDATE pgagent.pga_job SET jobenabled = true, jobnextrun = now() + interval '1 day'")
    forget_runs(db)
    due = "UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid IN (SELECT jobid FROM pgagent.pga_job ORDER BY 1 LIMIT %s)"
    db.execute(due, [jobs])


def drain(db: Db, jobs: int, quiet: float = 3.0) -> Drained:
    """Make *jobs* jobs due and wait until they have run, or nothing goes on for *quiet* seconds."""
    make_due(db, jobs)
    _wait_for_log(db, jobs, quiet)
    return result(db, jobs)


def _wait_for_log(db: Db, jobs: int, quiet: float) -> None:
    wait_until_quiet(lambda: count(db, ENDED), jobs, quiet, 120)


def result(db: Db, jobs: int) -> Drained:
    """Return what the steps' own effects say about a round: from the first step to the last."""
    row = db.execute(
        "SELECT count(DISTINCT job), count(*), coalesce(extract(epoch FROM max(at) - min(at)), 0)::float8 FROM hit"
    ).fetchone()
    assert row is not None
    distinct, hits, seconds = row
    return Drained((hits - 1) / seconds if hits > 1 else 0.0, jobs - distinct, hits - distinct)


def of_log(db: Db, jobs: int) -> Drained:
    """Return the same from the log, for steps that leave no other trace."""
    row = db.execute(
        "SELECT count(DISTINCT jlgjobid), count(*), extract(epoch FROM max(jslstart + jslduration) - min(jslstart))::float8"
        "  FROM pgagent.pga_jobsteplog JOIN pgagent.pga_joblog ON jlgid = jsljlgid WHERE jslstatus = 's'"
    ).fetchone()
    assert row is not None
    distinct, runs, seconds = row
    return Drained(runs / seconds if runs > 1 else 0.0, jobs - distinct, runs - distinct)


def measure_sql(report: Report, server: Server, quick: bool) -> dict[int, float]:
    """SQL jobs: ours at several sizes, the bare loop, the daemon, 1 to 4 launchers, memory. Return our rates."""
    sizes = [100, 300] if quick else [100, 300, 3_000, 10_000]
    rounds = 2 if quick else 5
    report.heading("One-step SQL jobs due at once; rate from the first step to the last")
    with server.database("ours", "pgagent_py") as db:
        add_jobs(db, max(sizes))
        rates = {}
        for jobs in sizes:
            with launchers(server, "ours") as (pid,):
                warm_up(db)
                done, floor, fresh = [], [], []
                for _ in range(
                    rounds if jobs < 10_000 else 3
                ):  # in turn: the machine may have other work, too
                    done.append(drain(db, jobs))
                    floor.append(_bare_round(server, db, jobs))
                    fresh.append(_bare_round(server, db, jobs, fresh=True))
                most = memory_mib(pid, "VmHWM")
            rates[jobs] = report.add(f"pgagent_py, {jobs:,} jobs", [d.rate for d in done], "jobs/s")
            _add_losses(report, done)
            report.add("  launcher's memory at most", most, "MiB", Target(120))
            report.add(f"  bare psycopg loop, {WORKERS} connections", floor, "jobs/s")
            shares = [100 * ours.rate / bare for ours, bare in zip(done, floor, strict=True)]
            report.add("  share of it", shares, "%", Target(40, True))
            steps = [100 * with_more / bare for with_more, bare in zip(fresh, floor, strict=True)]
            report.add("  share of it that is left to a loop with fresh sessions", steps, "%")
        last = sizes[-1]
        report.add(f"rate at {last:,} jobs to rate at 100", rates[last] / rates[100], "", Target(0.95, True))
        _measure_several(report, server, db, 300 if quick else 3_000, rounds)
    _measure_daemon(report, server, [100, 300] if quick else [100, 300, 3_000], rates)
    return rates


def warm_up(db: Db) -> None:
    """Let a launcher open its connections and read its code."""
    for _ in range(2):
        drain(db, 100)


def _add_losses(report: Report, done: list[Drained], target: Target | None = LOSSLESS) -> None:
    report.add(
        "  lost or repeated, all rounds",
        sum(d.lost + d.repeated for d in done),
        f"of {len(done)} rounds",
        target,
    )


def _bare_round(server: Server, db: Db, jobs: int, loops: int = 1, fresh: bool = False) -> float:
    forget_runs(db)
    numbers = db.execute("SELECT jobid FROM pgagent.pga_job ORDER BY 1 LIMIT %s", [jobs]).fetchall()
    bare_loops(server.conninfo("ours"), [HIT.format(number) for (number,) in numbers], loops, fresh)
    return result(db, jobs).rate


def _measure_several(report: Report, server: Server, db: Db, jobs: int, rounds: int) -> None:
    """1, 2 and 4 launchers, and as many bare loops, in turn: other work of the machine hits all alike."""
    done: dict[int, list[Drained]] = {1: [], 2: [], 4: []}
    bare: dict[int, list[float]] = {number: [] for number in done}
    for _ in range(rounds):
        for number, rates in bare.items():
            rates.append(_bare_round(server, db, jobs, number))
        for number, drained in done.items():
            with launchers(server, "ours", number):
                warm_up(db)
                drained.append(drain(db, jobs))
    for number, drained in done.items():
        report.add(f"{number} launchers, {jobs:,} jobs", [d.rate for d in drained], "jobs/s")
        _add_losses(report, drained)
        if number > 1:
            ratios = [several.rate / one.rate for several, one in zip(drained, done[1], strict=True)]
            report.add("  to the rate of one", ratios, "", Target(1, True))
            loops = [several / one for several, one in zip(bare[number], bare[1], strict=True)]
            report.add(f"  {number} bare loops to the rate of one", loops, "")


def _measure_daemon(report: Report, server: Server, sizes: list[int], ours: dict[int, float]) -> None:
    with server.database("theirs", "pgagent") as db:
        add_jobs(db, max(sizes))
        for jobs in sizes:
            done = [_daemon_round(server, db, jobs) for _ in range(3 if jobs < 1_000 else 1)]
            rate = report.add(f"C++ daemon -t 1, {jobs:,} jobs", [d.rate for d in done], "jobs/s")
            _add_losses(report, done, None)
            if rate:
                target = Target(10, True) if jobs == 100 else None
                report.add("  pgagent_py to the daemon", ours[jobs] / rate, "times", target)


def _daemon_round(server: Server, db: Db, jobs: int) -> Drained:
    make_due(db, jobs)
    with daemon(server, "theirs"):
        hits = "SELECT count(*) FROM hit"
        wait_until_quiet(lambda: count(db, hits), jobs, 5, 60)
    return result(db, jobs)


def measure_batch(report: Report, server: Server, quick: bool) -> None:
    """Batch jobs: ours, the daemon, and what spawning alone costs."""
    jobs, rounds = (100, 2) if quick else (1_000, 3)
    report.heading("One-step batch jobs (#!/bin/sh, true) due at once")
    rates: dict[str, float] = {}
    for name, extension, agent in (("ours", "pgagent_py", launchers), ("theirs", "pgagent", daemon)):
        with server.database(name, extension) as db:
            number = jobs if name == "ours" else 100
            add_jobs(db, number, "b", SCRIPT)
            done = []
            for _ in range(rounds):
                make_due(db, number)
                with agent(server, name):
                    _wait_for_log(db, number, 5)
                done.append(of_log(db, number))
            title = f"pgagent_py, {number:,} jobs" if name == "ours" else f"C++ daemon -t 1, {number} jobs"
            rates[name] = report.add(title, [d.rate for d in done], "jobs/s")
            _add_losses(report, done, Target(0) if name == "ours" else None)
    script = server.directory("script") / "true"
    script.write_text(SCRIPT)
    spawned = []
    for _ in range(rounds):
        started = time.monotonic()
        bare_spawns(script, jobs)
        spawned.append(jobs / (time.monotonic() - started))
    floor = report.add(f"posix_spawn of /bin/sh alone, {WORKERS} at a time", spawned, "per s")
    report.add("pgagent_py to the daemon", rates["ours"] / rates["theirs"], "times", Target(5, True))
    report.add("share of spawning alone", 100 * rates["ours"] / floor, "%")
