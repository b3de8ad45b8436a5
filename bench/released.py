"""The cost of finding a next run beside that of the released version: the same UPDATE with either, by turns."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.helpers.updates import install_released

from .report import Report, Target
from .servers import Db, Server, cpu_seconds
from .trigger import DAY_RULES, JOBS, PLAIN, SCHEDULES, UPDATE

RELEASED = "1.0.0"
WITHOUT, WITH = Target(1.1), Target(2)  # the new options
KNOWN_ROUNDS = 4  # of a session, for each of its first round


def measure(report: Report, server: Server, quick: bool) -> None:
    """Both versions in turn: a session that has seen the schedules has their next runs in memory, a new one has not.

    The least processor time of many short rounds is what it costs; the rest is what else the machine does.
    """
    report.heading(f"Next run beside {RELEASED}: processor time per row of the UPDATE of {JOBS} jobs")
    with tempfile.TemporaryDirectory() as scratch:
        install_released(RELEASED, Path(scratch))
    with (
        server.database("ours", "pgagent_py") as ours,
        server.database("theirs", f"pgagent_py VERSION '{RELEASED}'") as theirs,
    ):
        for name, (arguments, _) in SCHEDULES.items():
            _compare(report, server, (ours, theirs), name, (arguments, arguments), WITHOUT, quick)
        for name, arguments in DAY_RULES.items():
            _compare(report, server, (ours, theirs), name, (arguments, PLAIN), WITH, quick)


def _compare(
    report: Report,
    server: Server,
    dbs: tuple[Db, Db],
    name: str,
    schedules: tuple[str, str],
    target: Target,
    quick: bool,
) -> None:
    """Add the ratios of one schedule: *schedules* are those of either version."""
    for db, arguments in zip(dbs, schedules, strict=True):
        db.execute("TRUNCATE pgagent.pga_job CASCADE")
        jobs = "INSERT INTO pgagent.pga_job (jobid, jobjclid, jobname) SELECT g, 1, 'job ' || g FROM generate_series(1, %s) g"
        db.execute(jobs, [JOBS])
        schedule = f"pgagent_py.add_schedule(j.jobid, 'schedule', start => '2020-01-01', {arguments})"
        db.execute(f"SELECT {schedule} FROM pgagent.pga_job j".encode())
    found: dict[str, list[list[float]]] = {"new": [[], []], "known": [[], []]}
    for _ in range(12 if quick else 40):
        for number, db in enumerate(dbs):
            db.execute("VACUUM ANALYZE pgagent.pga_job, pgagent.pga_schedule")
            with server.connect(db.info.dbname) as session:
                session.execute(
                    "SELECT pgagent_py.next_run(min(s.jscid)) FROM pgagent.pga_schedule s"
                )  # so that Python is there
                found["new"][number].append(_update(session))
                found["known"][number] += [_update(session) for _ in range(KNOWN_ROUNDS)]
    for kind, (ours, theirs) in found.items():
        report.add(f"{name}: {kind} session, {RELEASED}", theirs, "us")
        report.add(f"{name}: {kind} session", ours, "us")
        report.add("  least to least", min(ours) / min(theirs), "times", target)


def _update(session: Db) -> float:
    """Return the microseconds of processor time per row of one UPDATE, which finds all next runs again."""
    pid = session.info.backend_pid
    before = cpu_seconds(pid)
    session.execute(UPDATE)
    return (cpu_seconds(pid) - before) * 1e6 / JOBS
