"""One turn of run_due that claims 64 of 64 due jobs, however many jobs and runs there are."""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from typing import LiteralString

from .report import Report, Target
from .servers import Db, Server, add_jobs

DUE = 64
REGISTER = "SELECT pgagent_py._ask('start_agent', jsonb_build_object('agent', gen_random_uuid()))"
TURN: LiteralString = "SELECT t.jlgid, t.jslid FROM pgagent_py.run_due(%s) t"
BOOK: LiteralString = """
SELECT count(*) FROM pgagent_py.run_due(0, ARRAY(
       SELECT (r.jlgid, r.jslid, 's', 1, interval '1 ms', 'INSERT 0 1')::pgagent_py.step_result
         FROM unnest(%s::int4[], %s::int4[]) r (jlgid, jslid)))"""
HISTORY: LiteralString = """
WITH run AS (
    INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
    SELECT j.jobid, 's', now() - interval '1 s' * g, '1 s'
      FROM generate_series(1, 1000000 / %(jobs)s) g, (SELECT jobid FROM pgagent.pga_job ORDER BY 1 LIMIT %(jobs)s) j
    RETURNING jlgid, jlgjobid)
INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslresult, jslstart, jslduration, jsloutput)
SELECT run.jlgid, s.jstid, 's', 1, now(), '1 s', 'INSERT 0 1' FROM run JOIN pgagent.pga_jobstep s ON s.jstjobid = run.jlgjobid"""


def measure(report: Report, server: Server, quick: bool) -> None:
    """Six databases, round by round one turn in each."""
    report.heading(f"One run_due turn that claims {DUE} of {DUE} due jobs")
    sizes = [100, 10_000] if quick else [100, 10_000, 100_000]
    rounds = 10 if quick else 40
    with ExitStack() as stack:
        databases = {}
        for jobs in sizes:
            for history in (0, 1_000_000):
                name = f"jobs_{jobs}_{history}"
                databases[jobs, history] = db = stack.enter_context(server.database(name, "pgagent_py"))
                _fill(db, jobs, history)
        claims: dict[tuple[int, int], list[float]] = {key: [] for key in databases}
        books: dict[tuple[int, int], list[float]] = {key: [] for key in databases}
        for number in range(rounds + 5):
            for key, db in databases.items():
                claim, book = _turn(db)
                if number >= 5:  # the first read the code and each schedule
                    claims[key].append(claim)
                    books[key].append(book)
    for title, times in (("claim", claims), ("book and finish", books)):
        for (jobs, history), values in times.items():
            report.add(f"{title}: {jobs:,} jobs, {history:,} rows of history", values, "ms")
        medians = [statistics.median(values) for values in times.values()]
        report.add(f"{title}: largest to smallest", max(medians) / min(medians), "times", Target(1.5))


def _fill(db: Db, jobs: int, history: int) -> None:
    add_jobs(db, jobs)
    if history:
        # Not through triggers and foreign keys, one row at a time.
        with db.transaction():
            db.execute("SET LOCAL session_replication_role = replica")
            db.execute(HISTORY, {"jobs": min(jobs, 10_000)})
    db.execute("UPDATE pgagent.pga_job SET jobenabled = true, jobnextrun = now() + interval '1 day'")
    db.execute("VACUUM ANALYZE")
    db.execute(REGISTER)


def _turn(db: Db) -> tuple[float, float]:
    """Let 64 jobs be due, claim them, finish them; return the milliseconds of the two calls."""
    db.execute(
        "UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid IN (SELECT jobid FROM pgagent.pga_job ORDER BY 1 LIMIT %s)",
        [DUE],
    )
    started = time.perf_counter()
    steps = db.execute(TURN, [DUE]).fetchall()
    claimed = time.perf_counter()
    assert len(steps) == DUE, f"claimed {len(steps)} of {DUE}"
    db.execute(BOOK, [[run for run, _ in steps], [step for _, step in steps]])
    return 1000 * (claimed - started), 1000 * (time.perf_counter() - claimed)
