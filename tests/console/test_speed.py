"""Large numbers of jobs and runs: no listing waits for all of them."""

import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg

from console.commands.files import _export
from console.commands.stats import STATISTICS
from console.names import pages_of_jobs
from console.newest import newest_runs
from console.session import Session
from tests.console.conftest import Ctl
from tests.forms import forms
from tests.helpers import Db

JOBS = """
ALTER TABLE pgagent.pga_job DISABLE TRIGGER ALL;
INSERT INTO pgagent.pga_job (jobjclid, jobname, jobenabled, jobnextrun, joblastrun)
SELECT 1, 'job ' || n, true, now() + n * interval '1 min', now() - n * interval '1 s' FROM generate_series(1, {jobs}) n;
ALTER TABLE pgagent.pga_job ENABLE TRIGGER ALL;
ALTER TABLE pgagent.pga_schedule DISABLE TRIGGER ALL;
INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscminutes, jschours)
SELECT jobid, 's', array_fill(false, '{{60}}'::int[]), array_fill(false, '{{24}}'::int[]) FROM pgagent.pga_job;
ALTER TABLE pgagent.pga_schedule ENABLE TRIGGER ALL;
INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstkind, jstcode, jstdbname)
SELECT jobid, 's', 's', 'SELECT 1', current_database() FROM pgagent.pga_job;
INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
SELECT 1 + n % {jobs}, CASE WHEN n % 100 = 0 THEN 'f' ELSE 's' END, now() - ({runs} - n) * interval '1 s', '1 s'
  FROM generate_series(1, {runs}) n;
INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslresult, jslstart, jslduration)
SELECT jlgid, jlgjobid, jlgstatus, 1, jlgstart, jlgduration FROM pgagent.pga_joblog;
ANALYZE
"""
# Ten jobs, none of whose runs has failed
OWNER = """
INSERT INTO pgagent_py.job_option (jobid, jobowner, jobownerid, jobinstallation)
SELECT jobid, 'pgagent_py_user', 'pgagent_py_user'::regrole, (SELECT id FROM pgagent_py.installation)
  FROM pgagent.pga_job WHERE jobid BETWEEN 3 AND 12"""
# What stands for the whole of a job's things in the first page of a listing.
LISTINGS = (
    ["jobs"],
    ["runs"],
    ["runs", "--failed"],
    ["upcoming"],
    ["job", "job 7"],
    ["runs", "job 7"],
    ["why"],
    ["status"],
    ["log", "17"],
    ["stats"],
    ["timeline"],
    ["timeline", "--since", "30d"],
    ["--json", "timeline"],
    ["--json", "stats"],
    ["export"],
)


def first_line(ctl: Ctl, *arguments: str) -> float:
    """Return after how many seconds a command has written its first line."""
    began = time.monotonic()
    with subprocess.Popen(
        [ctl.program, "-d", ctl.conninfo, *arguments], stdout=subprocess.PIPE, env=ctl.environment
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        took = time.monotonic() - began
        process.kill()
    return took


READ = """
SELECT coalesce(sum(t.seq_tup_read + coalesce(t.idx_tup_fetch, 0)), 0)::int AS rows
  FROM pg_stat_xact_all_tables t WHERE t.schemaname IN ('pgagent', 'pgagent_py')"""


def rows_read(session: Session, look: Callable[[], Any]) -> Any:
    """Return how many rows of pgAgent's tables and ours the server has read to answer."""
    with session.connection.transaction(force_rollback=True):
        # Other processes' counts are not in these.
        session.connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        before = session.value(READ)
        look()
        return session.value(READ) - before


def check_what_is_read(address: str, jobs: int, runs: int) -> None:
    """Check how much is read before the first line is there: that most jobs and runs stay unread, or none is read twice."""
    every, owner = (
        Session(address),
        Session(psycopg.conninfo.make_conninfo(address, options="-c role=pgagent_py_user")),
    )
    few: dict[str, Callable[[], Any]] = {
        "runs": lambda: next(newest_runs(every, 50)),
        "upcoming": lambda: every.rows(
            "SELECT * FROM pgagent_py.upcoming_runs(now() + '1 year', count => 10)"
        ),
    }
    once: dict[str, Callable[[], Any]] = {
        "jobs": lambda: next(pages_of_jobs(every)),
        "export": lambda: _export(every, next(pages_of_jobs(every, size=25))),
        "stats": lambda: every.rows(STATISTICS, "2000-01-01", next(pages_of_jobs(every))),
    }
    with closing(every), closing(owner):
        read = {name: rows_read(every, look) for name, look in (few | once).items()}
        read["none"] = rows_read(owner, lambda: list(newest_runs(owner, 50, failed=True)))
    assert all(read[name] < jobs / 2 for name in few), read
    assert all(read[name] < 5 * jobs for name in once), read
    assert read["none"] < 1.2 * runs + 5 * jobs, read


@forms(2_000, 100_000)
def test_every_listing_begins_as_soon_as_with_few_jobs(ctl: Ctl, db: Db, size: int) -> None:
    """Compared with the command's own start and connection on this machine, so that a busy one does not matter."""
    for statement in JOBS.format(jobs=size, runs=10 * size).split(";\n"):
        db.execute(statement.encode())
    db.execute(OWNER)
    check_what_is_read(ctl.conninfo, size, 10 * size)
    tries = 1 if size < 10_000 else 2
    own = min(first_line(ctl, "upcoming", "--help") for _ in range(3))
    times = {
        " ".join(listing): min(first_line(ctl, *listing) for _ in range(tries)) - own for listing in LISTINGS
    }
    print({name: round(seconds, 2) for name, seconds in times.items()}, "besides", round(own, 2))
    slowest = max(times, key=lambda name: times[name])
    assert times[slowest] < 20 * own, (slowest, times, own)
