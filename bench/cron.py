"""pg_cron with the same jobs: it can only run them at a full minute."""

from __future__ import annotations

import time

from .agents import WORKERS
from .report import Report, Target
from .servers import HIT, HIT_TABLE, Db, Server, count, wait_until_quiet

MINUTE = """
SELECT count(DISTINCT job), count(*), extract(epoch FROM max(at) - min(at))::float8,
       1000 * extract(epoch FROM min(at) - %(minute)s::timestamptz)::float8
  FROM hit WHERE at >= %(minute)s::timestamptz"""


def measure(report: Report, fsync: bool, quick: bool, ours: dict[int, float]) -> None:
    """Measure both modes; *ours* has our rates by number of jobs."""
    report.heading(f"pg_cron, {WORKERS} at a time, the same jobs every minute")
    for workers in ("off", "on"):
        mode = "background workers" if workers == "on" else "libpq"
        server = Server(fsync, shared_preload_libraries="pg_cron", **{"cron.database_name": "cron"})
        try:
            _configure(server, workers)
            with server.connect("cron") as db:
                db.execute("CREATE EXTENSION pg_cron")
                db.execute(HIT_TABLE)
                for jobs, rounds in ((300, 1),) if quick else ((300, 2), (3_000, 1)):
                    _measure_size(report, db, mode, jobs, rounds, ours)
        finally:
            server.close()


def _configure(server: Server, workers: str) -> None:
    server.cluster.stop()
    server.cluster.start(
        **server.settings,
        **{
            "cron.host": server.cluster.directory,
            "cron.use_background_workers": workers,
            "cron.max_running_jobs": WORKERS,
        },
    )
    with server.connect("postgres") as db:
        db.execute("CREATE DATABASE cron")


def _measure_size(report: Report, db: Db, mode: str, jobs: int, rounds: int, ours: dict[int, float]) -> None:
    db.execute(
        "SELECT cron.schedule('job ' || g, '* * * * *', replace(%s, '{}', g::text)) FROM generate_series(1, %s) g",
        [HIT, jobs],
    )
    rates, failed, late = [], 0, []
    for _ in range(rounds):
        distinct, hits, seconds, lateness = _round(db, jobs)
        rates.append((hits - 1) / seconds if hits > 1 else 0.0)
        failed += jobs - distinct + hits - distinct
        late.append(lateness)
    db.execute("SELECT cron.unschedule(jobid) FROM cron.job")
    rate = report.add(f"pg_cron, {mode}, {jobs:,} jobs", rates, "jobs/s")
    report.add("  lost or repeated, all rounds", failed, f"of {rounds} rounds")
    report.add("  first step after the minute", late, "ms")
    if jobs in ours and rate:
        target = Target(5, True) if jobs == 300 else None
        report.add("  pgagent_py to pg_cron", ours[jobs] / rate, "times", target)


def _round(db: Db, jobs: int) -> tuple[int, int, float, float]:
    """Wait for the next full minute and the runs that it sets off."""
    row = db.execute("SELECT date_trunc('minute', now() + interval '62 s')").fetchone()
    assert row is not None
    time.sleep(max(row[0].timestamp() - time.time() - 0.5, 0))
    db.execute("TRUNCATE hit")
    time.sleep(max(row[0].timestamp() - time.time(), 0))
    wait_until_quiet(lambda: count(db, "SELECT count(*) FROM hit"), jobs, 5, 55)
    found = db.execute(MINUTE, {"minute": row[0]}).fetchone()
    assert found is not None
    return found[0], found[1], found[2] or 0.0, found[3] or 0.0
