"""Large numbers of jobs and runs: no listing waits for all of them."""

import subprocess
import time

from tests.console.conftest import Ctl
from tests.forms import forms
from tests.helpers import Db

JOBS = """
ALTER TABLE pgagent.pga_job DISABLE TRIGGER ALL;
INSERT INTO pgagent.pga_job (jobjclid, jobname, jobenabled, jobnextrun, joblastrun)
SELECT 1, 'job ' || n, true, now() + n * interval '1 s', now() - n * interval '1 s' FROM generate_series(1, {jobs}) n;
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


@forms(2_000, 100_000)
def test_every_listing_begins_as_soon_as_with_few_jobs(ctl: Ctl, db: Db, size: int) -> None:
    """Compared with the command's own start and connection on this machine, so that a busy one does not matter."""
    for statement in JOBS.format(jobs=size, runs=10 * size).split(";\n"):
        db.execute(statement.encode())
    own = min(first_line(ctl, "upcoming", "--help") for _ in range(3))
    times = {
        " ".join(listing): min(first_line(ctl, *listing) for _ in range(2)) - own for listing in LISTINGS
    }
    print({name: round(seconds, 2) for name, seconds in times.items()}, "besides", round(own, 2))
    slowest = max(times, key=lambda name: times[name])
    assert times[slowest] < 20 * own, (slowest, times, own)
