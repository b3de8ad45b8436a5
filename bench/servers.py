"""Servers, databases full of jobs, and a process's time and memory."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from tests.helpers import Cluster, wait_for

Db = psycopg.Connection[Any]

SETTINGS = {
    "max_connections": 300,
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "max_worker_processes": 64,
    "autovacuum_naptime": "10min",  # its transactions are not ours; tables are vacuumed between the rounds
}

# The step of every job, and of the bare loop: its row shows when the step ran, and how often.
HIT = "INSERT INTO hit VALUES ({})"
HIT_TABLE: LiteralString = (
    "CREATE UNLOGGED TABLE IF NOT EXISTS hit (job integer, at timestamptz DEFAULT clock_timestamp())"
)

JOBS: LiteralString = """
WITH job AS (
    INSERT INTO pgagent.pga_job (jobjclid, jobname, jobenabled)
    SELECT 1, 'job ' || g, false FROM generate_series(1, %(count)s) g RETURNING jobid)
INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstkind, jstcode, jstdbname)
SELECT jobid, 'step', %(kind)s::text, replace(%(code)s, '{}', jobid::text),
       CASE WHEN %(kind)s::text = 's' THEN current_database() ELSE '' END
  FROM job"""
# Each job has a schedule of its own: one of the 720 minutes between 6 and 18 hours from now, so none falls due by itself.
SCHEDULES: LiteralString = """
INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscstart, jscminutes, jschours)
SELECT j.jobid, 'daily', '2020-01-01 00:00+00', m.flags, h.flags
  FROM pgagent.pga_job j
  JOIN (SELECT n, array_agg(i = n ORDER BY i) AS flags
          FROM generate_series(0, 59) i, generate_series(0, 59) n GROUP BY n) m ON m.n = j.jobid % 60
  JOIN (SELECT n, array_agg(i = n ORDER BY i) AS flags
          FROM generate_series(0, 23) i, generate_series(0, 23) n GROUP BY n) h
    ON h.n = (j.jobid / 60 % 12 + 6 + extract(hour FROM now())::integer) % 24"""


class Server:
    """A server that stops and vanishes with its context."""

    def __init__(self, fsync: bool, **settings: Any) -> None:
        """Start one with the benchmark's settings and *settings*."""
        self._directory = Path(tempfile.mkdtemp(prefix="bench."))
        self.cluster = Cluster(self._directory / "server")
        self.cluster.initialise()
        self.settings = SETTINGS | {"fsync": "on" if fsync else "off"} | settings
        self.cluster.start(**self.settings)

    def close(self) -> None:
        """Stop the server and remove its files."""
        self.cluster.stop("immediate")
        shutil.rmtree(self._directory)

    def directory(self, name: str) -> Path:
        """Return an empty directory of that name."""
        directory = self._directory / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        return directory

    def conninfo(self, database: str) -> str:
        """Return a connection string of the superuser over the socket."""
        return self.cluster.conninfo(database)

    def connect(self, database: str) -> Db:
        """Return an autocommit connection."""
        return psycopg.connect(self.conninfo(database), autocommit=True)

    @contextmanager
    def database(self, name: str, extension: str, template: str = "template1") -> Iterator[Db]:
        """Make a database with an extension, drop it at the end; yield a connection to it."""
        with self.connect("postgres") as control:
            control.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
            try:
                with self.connect(name) as db:
                    db.execute(f"CREATE EXTENSION IF NOT EXISTS {extension} CASCADE".encode())
                    yield db
            finally:
                control.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def add_jobs(db: Db, count: int, kind: str = "s", code: str = HIT) -> None:
    """Define *count* jobs, disabled, with one step and one daily schedule each; ``{}`` in *code* is the job's id."""
    db.execute(HIT_TABLE)
    db.execute(JOBS, {"count": count, "kind": kind, "code": code})
    # No next run is looked for, since it is not measured how long it takes to define 100,000 jobs.
    db.execute("ALTER TABLE pgagent.pga_schedule DISABLE TRIGGER USER")
    db.execute(SCHEDULES)
    db.execute("ALTER TABLE pgagent.pga_schedule ENABLE TRIGGER USER")


def forget_runs(db: Db) -> None:
    """Empty the log and the effects of steps, tidy the tables."""
    # Not TRUNCATE for all: it would lock the tables in another order than a launcher that looks at the log.
    db.execute("TRUNCATE hit")
    db.execute("DELETE FROM pgagent.pga_joblog")
    db.execute("VACUUM ANALYZE pgagent.pga_job, pgagent.pga_joblog, pgagent.pga_jobsteplog")


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process (its main thread) has had."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def memory_mib(pid: int, field: str = "VmRSS") -> float:
    """Return the resident memory of a process; field VmHWM is the most that it ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def count(db: Db, query: LiteralString, parameters: Any = None) -> int:
    """Return the number that *query* gives."""
    row = db.execute(query, parameters).fetchone()
    assert row is not None
    return int(row[0])


def wait_until_quiet(value: Callable[[], int], enough: int, quiet: float, longest: float) -> None:
    """Wait until *value* reaches *enough*, does not change for *quiet* seconds, or *longest* seconds are over."""
    last, since = value(), time.monotonic()

    def ended() -> bool:
        nonlocal last, since
        now = value()
        if now != last:
            last, since = now, time.monotonic()
        return now >= enough or time.monotonic() - since > quiet

    try:
        wait_for(ended, longest, "the end of a drain")
    except AssertionError:
        return  # the figures say how many jobs did not run
