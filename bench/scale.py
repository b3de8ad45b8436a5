"""What many jobs, schedules and runs cost, each beside the same in plain pgagent, or beside the same with few."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import LiteralString

from tests.helpers import wait_for

from .agents import launchers
from .report import Report, Target, percentile
from .servers import Db, Server, add_jobs, count

SCHEDULES: LiteralString = """
INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscstart, jscminutes, jschours)
SELECT j.jobid, 's', '2020-01-01', m.flags, h.flags
  FROM pgagent.pga_job j
  JOIN (SELECT n, array_agg(i = n ORDER BY i) AS flags FROM generate_series(0, 59) i, generate_series(0, 59) n GROUP BY n) m
    ON m.n = j.jobid % 60
  JOIN (SELECT n, array_agg(i = n ORDER BY i) AS flags FROM generate_series(0, 23) i, generate_series(0, 23) n GROUP BY n) h
    ON h.n = j.jobid / 60 % 24"""
TENTHS: LiteralString = """
SELECT t.tenth, count(*) / extract(epoch FROM max(t.at) - min(t.at))::float8
  FROM (SELECT h.at, ntile(10) OVER (ORDER BY h.at) AS tenth FROM hit h) t GROUP BY t.tenth ORDER BY t.tenth"""
RUNS: LiteralString = """
INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart)
SELECT j.jobid, 's', now() - g * interval '1 day' FROM generate_series(%s, 1, -1) g, pgagent.pga_job j"""


def measure(report: Report, server: Server, quick: bool, size: int) -> None:
    """All cases with *size* jobs."""
    report.heading(f"Scale, with {size:,} jobs")
    report.note(f"takes about {max(1, size // 3000)} minutes; --size N for another number")
    _measure_growth(report, server, size)
    rounds = 1 if quick else 3
    with server.database("ours", "pgagent_py") as ours, server.database("theirs", "pgagent") as theirs:
        _measure_rules(report, server, {"ours": ours, "theirs": theirs}, size, rounds)
        _measure_calls(report, ours, size)
        _measure_timezone(report, server, ours, size)
        _measure_calendar(report, ours, size)
        _measure_status(report, ours, size)
        _measure_purge(report, ours)
    _measure_start(report, rounds)


def _measure_growth(report: Report, server: Server, size: int) -> None:
    """All jobs due at once, in tables that were never analyzed: does the rate fall while the log grows?"""
    with server.database("growth", "pgagent_py") as db:
        add_jobs(db, size)
        for table in ("pga_job", "pga_jobstep", "pga_joblog", "pga_jobsteplog"):
            db.execute(f"ALTER TABLE pgagent.{table} SET (autovacuum_enabled = off)".encode())
        db.execute("ALTER TABLE pgagent_py.run SET (autovacuum_enabled = off)")
        with launchers(server, "growth"):
            db.execute("UPDATE pgagent.pga_job SET jobenabled = true, jobnextrun = now()")
            wait_for(lambda: count(db, "SELECT count(*) FROM hit") >= size, 3600, "the end of the drain")
        rates = [rate for _, rate in db.execute(TENTHS)]
    report.add("due at once, never analyzed: rate of the first tenth", rates[0], "jobs/s")
    report.add("  last tenth to first", rates[-1] / rates[0], "", Target(0.9, True))


def _measure_rules(report: Report, server: Server, databases: dict[str, Db], size: int, rounds: int) -> None:
    """Schedules inserted in bulk, then all next runs in a fresh session, round by round with and without pgagent_py."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in databases}
    for _ in range(rounds):
        for name, db in databases.items():
            db.execute("TRUNCATE pgagent.pga_job RESTART IDENTITY CASCADE")
            add = "INSERT INTO pgagent.pga_job (jobjclid, jobname) SELECT 1, 'job ' || g FROM generate_series(1, %s) g"
            db.execute(add, [size])
            inserted = _seconds(db, SCHEDULES)
            with server.connect(name) as fresh:
                found = _seconds(fresh, "UPDATE pgagent.pga_job SET jobnextrun = NULL")
            times[name].append((inserted * 1e6 / size, found * 1e6 / size))
    for number, what in enumerate(("bulk insert of schedules", "first next run in a fresh session")):
        ours, theirs = ([pair[number] for pair in times[name]] for name in ("ours", "theirs"))
        report.add(f"{what}, per row", ours, "us")
        report.add(
            "  to plain pgagent", [a / b for a, b in zip(ours, theirs, strict=True)], "times", Target(1.4)
        )


def _seconds(db: Db, statement: str, *parameters: object) -> float:
    started = time.perf_counter()
    db.execute(statement.encode(), parameters or None)
    return time.perf_counter() - started


ADD_JOB: LiteralString = "pgagent_py.add_job('added', cron => '0 3 * * *', sql => 'SELECT 1')"


def _measure_calls(report: Report, db: Db, size: int) -> None:
    number = min(size // 10, 1000)
    one_by_one = sum(_seconds(db, f"SELECT {ADD_JOB}") for _ in range(number))
    report.add("add_job one by one", number / one_by_one, "per s", Target(900, True))
    together = _seconds(db, f"SELECT {ADD_JOB} FROM generate_series(1, {number})")
    report.add("add_job in one statement", number / together, "per s", Target(2000, True))


def _measure_timezone(report: Report, server: Server, db: Db, size: int) -> None:
    """Another default zone, while another session runs one of the jobs now, again and again."""
    waits: list[float] = []
    ended = threading.Event()

    def run_now() -> None:
        with server.connect("ours") as other:
            while not ended.wait(0.02):
                waits.append(_seconds(other, "SELECT pgagent_py.run_now(1)"))

    thread = threading.Thread(target=run_now)
    thread.start()
    try:
        took = _seconds(db, "SELECT pgagent_py.set_default_timezone('Asia/Kathmandu')")
    finally:
        ended.set()
        thread.join()
    report.add("set_default_timezone, per 100,000 schedules", took * 100_000 / size, "s", Target(5))
    report.add("  longest wait of a run-now meanwhile", 1000 * max(waits, default=0), "ms", Target(100))


def _measure_calendar(report: Report, db: Db, size: int) -> None:
    number = min(2000, size // 2)
    db.execute("SELECT pgagent_py.add_calendar('holidays', days => ARRAY[current_date + 1])")
    attach = "SELECT pgagent_py.attach_calendar(%s, 'holidays')"
    times = [_seconds(db, attach, schedule) for schedule in range(1, number + 1)]
    report.add("attach_calendar", [1000 * took for took in times], "ms")
    tenth = number // 10
    report.add("  last tenth to first", sum(times[-tenth:]) / sum(times[:tenth]), "times", Target(1.2))
    took = _seconds(db, "SELECT pgagent_py.alter_calendar('holidays', add_days => ARRAY[current_date + 2])")
    report.add("alter_calendar, per 20,000 schedules", took * 20_000 / number, "s", Target(1))


def _measure_status(report: Report, db: Db, size: int) -> None:
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 0)")
    db.execute(RUNS, [3])
    db.execute("VACUUM ANALYZE")
    page = _seconds(db, "SELECT * FROM pgagent_py.job_status ORDER BY jobname LIMIT 50")
    report.add("job_status: 50 by name, per 1,000,000 jobs", page * 1e9 / size, "ms", Target(50))
    number = _seconds(db, "SELECT count(*) FROM pgagent_py.job_status")
    report.add("  their count", number * 1e9 / size, "ms", Target(500))


def _measure_purge(report: Report, db: Db) -> None:
    """Runs of many jobs, by number and by age."""
    rates = {}
    for what, keep in (("by number", "keep_runs => 1"), ("by age", "keep_runs => 0, keep_for => '36 hours'")):
        db.execute("SELECT pgagent_py.set_retention(keep_runs => 0, keep_for => '0')")
        db.execute("TRUNCATE pgagent.pga_joblog CASCADE")
        db.execute(RUNS, [7])
        db.execute("VACUUM ANALYZE pgagent.pga_joblog")
        db.execute(f"SELECT pgagent_py.set_retention({keep})".encode())
        before, started = count(db, "SELECT count(*) FROM pgagent.pga_joblog"), time.perf_counter()
        times = []
        while True:
            begun = time.perf_counter()
            if not count(db, "SELECT pgagent_py.purge_history()"):
                break
            times.append(1000 * (time.perf_counter() - begun))
        gone = before - count(db, "SELECT count(*) FROM pgagent.pga_joblog")
        rates[what] = gone / (time.perf_counter() - started)
        report.add(f"purge {what}", rates[what], "runs/s")
        report.add("  a call, 99th percentile", percentile(times, 0.99), "ms", Target(30))
    report.add("purge by number to by age", rates["by number"] / rates["by age"], "times", Target(1, True))


def _measure_start(report: Report, rounds: int) -> None:
    """What the interpreter and the imports take, before anything is connected."""
    python = sys.executable
    command = str(Path(python).with_name("pgagent-py"))
    commands = {
        "psycopg": [python, "-c", "import psycopg"],
        "launcher": [python, "-c", "import launcher.command"],
        "-v": [command if Path(command).exists() else "pgagent-py", "-v"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(5 * rounds):
        for name, words in commands.items():
            started = time.perf_counter()
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - started)
    for name, target in (("launcher", Target(1.6)), ("-v", Target(1))):
        ratios = [a / b for a, b in zip(times[name], times["psycopg"], strict=True)]
        report.add(f"start of the launcher ({name}) to import psycopg", ratios, "times", target)
