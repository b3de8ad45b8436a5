"""The cost of finding a next run: an UPDATE of jobnextrun to NULL, with the extension and without it."""

from __future__ import annotations

import time
from typing import LiteralString

from .report import Report, Target
from .servers import Db, Server

JOBS = 500
SCHEDULES: dict[str, tuple[LiteralString, Target]] = {
    "every 5 minutes": ("minutes => ARRAY[0,5,10,15,20,25,30,35,40,45,50,55]", Target(1)),
    "weekdays 09:30": ("minutes => '{30}', hours => '{9}', weekdays => '{1,2,3,4,5}'", Target(1)),
    "last day of the month": ("minutes => '{0}', hours => '{0}', monthdays => '{32}'", Target(1)),
    "Friday the 13th": (
        "minutes => '{0}', hours => '{0}', weekdays => '{5}', monthdays => '{13}'",
        Target(0.1),
    ),
}
# Of what only the extension has: beside the same UPDATE with a plain schedule, both with the extension.
PLAIN: LiteralString = "minutes => '{0}', hours => '{18}'"
DAY_RULES: dict[str, LiteralString] = {
    "last working day": f"{PLAIN}, workdays => '{{-1}}'",
    "first Monday, or the next working day": f"{PLAIN}, weekdays => '{{1}}', nth => '{{1}}', roll => 'forward'",
    "every second Monday": f"{PLAIN}, weekdays => '{{1}}', recurs => '2 weeks'",
    "spread": f"{PLAIN}, spread => '15 min'",
}
UPDATE = "UPDATE pgagent.pga_job SET jobnextrun = NULL"


def measure(report: Report, server: Server, quick: bool) -> None:
    """Both databases in turn, the same schedules; then the preview of a job's runs."""
    report.heading(f"Next run, by UPDATE of {JOBS} jobs, per row")
    rounds = 5 if quick else 25
    with server.database("ours", "pgagent_py") as ours, server.database("theirs", "pgagent") as theirs:
        for name, (arguments, target) in SCHEDULES.items():
            _define(ours, theirs, arguments)
            times: tuple[list[float], list[float]] = ([], [])
            for number in range(rounds + 3):
                for db, values in zip((ours, theirs), times, strict=True):
                    microseconds = _update(db)
                    if number >= 3:
                        values.append(microseconds)
            theirs_took = report.add(f"{name}: pgagent alone", times[1], "us")
            ours_took = report.add(f"{name}: with pgagent_py", times[0], "us")
            report.add("  with pgagent_py to without", ours_took / theirs_took, "times", target)
        _measure_day_rules(report, ours, theirs, rounds)
        report.add(
            "the same UPDATE where no next run is looked for", [_plain(theirs) for _ in range(rounds)], "us"
        )
        _measure_preview(report, ours, rounds)


def _measure_day_rules(report: Report, ours: Db, theirs: Db, rounds: int) -> None:
    """Compare schedules with options of days to one without, in turn: each has half of the jobs."""
    for name, arguments in DAY_RULES.items():
        _define(ours, theirs, arguments)
        ours.execute("DELETE FROM pgagent.pga_schedule WHERE jscjobid % 2 = 0")
        plain = f"pgagent_py.add_schedule(j.jobid, 'schedule', start => '2020-01-01', {PLAIN})"
        ours.execute(f"SELECT {plain} FROM pgagent.pga_job j WHERE j.jobid % 2 = 0".encode())
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(2 * rounds + 6):
            taken = 2 * _update(ours, f" WHERE jobid % 2 = {number % 2}")
            if number >= 6:
                times[number % 2].append(taken)
        every_day = report.add(f"18:00 every day, beside {name}", times[0], "us")
        ruled = report.add(f"{name}: with pgagent_py", times[1], "us")
        report.add(f"  {name} to every day", ruled / every_day, "times", Target(2))


def _define(ours: Db, theirs: Db, arguments: LiteralString) -> None:
    """Give both databases the same jobs with the same schedule."""
    for db in (ours, theirs):
        db.execute("TRUNCATE pgagent.pga_job CASCADE")
        jobs = "INSERT INTO pgagent.pga_job (jobid, jobjclid, jobname) SELECT g, 1, 'job ' || g FROM generate_series(1, %s) g"
        db.execute(jobs, [JOBS])
    schedule = f"pgagent_py.add_schedule(j.jobid, 'schedule', start => '2020-01-01', {arguments})"
    ours.execute(f"SELECT {schedule} FROM pgagent.pga_job j".encode())
    columns = "jscjobid, jscname, jscstart, jscminutes, jschours, jscweekdays, jscmonthdays, jscmonths"
    rows = ours.execute(f"SELECT {columns} FROM pgagent.pga_schedule".encode()).fetchall()
    with theirs.cursor() as cursor:
        insert = f"INSERT INTO pgagent.pga_schedule ({columns}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"
        cursor.executemany(insert.encode(), rows)


def _update(db: Db, which: str = "") -> float:
    """Return the microseconds per row of one UPDATE, which finds all next runs again."""
    db.execute("VACUUM pgagent.pga_job")
    started = time.perf_counter()
    db.execute(f"{UPDATE}{which}".encode())
    return (time.perf_counter() - started) * 1e6 / JOBS


def _plain(db: Db) -> float:
    db.execute("VACUUM pgagent.pga_job")
    started = time.perf_counter()
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() + interval '1 day'")
    return (time.perf_counter() - started) * 1e6 / JOBS


def _measure_preview(report: Report, db: Db, rounds: int) -> None:
    db.execute("TRUNCATE pgagent.pga_job CASCADE")
    for name, (arguments, _) in SCHEDULES.items():
        row = db.execute("SELECT pgagent_py.add_job(%s, sql => 'SELECT 1')", [name]).fetchone()
        assert row is not None
        db.execute(f"SELECT pgagent_py.add_schedule(%s, 'schedule', {arguments})".encode(), [row[0]])
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            db.execute("SELECT count(*) FROM pgagent_py.next_runs(%s, 1000)", row)
            times.append((time.perf_counter() - started) * 1e3 / 10)
        report.add(f"next_runs(job, 1000), {name}: per hundred", times[1:], "ms", Target(5))
