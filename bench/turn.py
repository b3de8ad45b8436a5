"""One turn of run_due that claims 64 of 64 due jobs, however many jobs and runs there are, beside its row writes alone."""

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

# The rows that every agent has to write for a run in pgAgent's tables, set by set, with pgAgent's own trigger and foreign keys.
CLAIM_ROWS: LiteralString = """
UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid(), joblastrun = now()
 WHERE jobenabled AND jobagentid IS NULL AND jobnextrun <= now()"""
LOG_ROWS: LiteralString = """
WITH run AS (
    INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus)
    SELECT jobid, 'r' FROM pgagent.pga_job WHERE jobid = ANY (%(jobs)s) RETURNING jlgid, jlgjobid)
INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus)
SELECT run.jlgid, s.jstid, 'r' FROM run JOIN pgagent.pga_jobstep s ON s.jstjobid = run.jlgjobid RETURNING jsljlgid, jslid"""
BOOK_ROWS: tuple[LiteralString, ...] = (
    "UPDATE pgagent.pga_jobsteplog SET jslstatus = 's', jslresult = 1, jslduration = '1 ms', jsloutput = 'INSERT 0 1'"
    " WHERE jslid = ANY (%(steps)s)",
    "UPDATE pgagent.pga_joblog SET jlgstatus = 's', jlgduration = '1 ms' WHERE jlgid = ANY (%(runs)s)",
    "UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL WHERE jobid = ANY (%(jobs)s)",
)


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
                if number >= 5:  # the first rounds read the code and each schedule
                    claims[key].append(claim)
                    books[key].append(book)
    writes = _measure_writes(server, sizes[0], rounds)
    for title, times in (("claim", claims), ("book and finish", books)):
        for (jobs, history), values in times.items():
            report.add(f"{title}: {jobs:,} jobs, {history:,} rows of history", values, "ms")
        medians = [statistics.median(values) for values in times.values()]
        report.add(f"{title}: largest to smallest", max(medians) / min(medians), "times", Target(1.5))
    floor = report.add("the same row writes alone, plain pgagent", writes, "ms")
    turns = [claim + book for claim, book in zip(claims[sizes[0], 0], books[sizes[0], 0], strict=True)]
    report.add("both turns to the row writes alone", statistics.median(turns) / floor, "times")


def _fill(db: Db, jobs: int, history: int) -> None:
    add_jobs(db, jobs)
    if history:
        # Without triggers and foreign keys, which look at one row at a time.
        with db.transaction():
            db.execute("SET LOCAL session_replication_role = replica")
            db.execute(HISTORY, {"jobs": min(jobs, 10_000)})
    db.execute("UPDATE pgagent.pga_job SET jobenabled = true, jobnextrun = now() + interval '1 day'")
    db.execute("VACUUM ANALYZE")
    db.execute(REGISTER)


def _measure_writes(server: Server, jobs: int, rounds: int) -> list[float]:
    """Return the milliseconds that the rows of 64 runs take in a database without the extension, round by round."""
    times = []
    with server.database("writes", "pgagent") as db:
        add_jobs(db, jobs)
        db.execute("UPDATE pgagent.pga_job SET jobenabled = true, jobnextrun = now() + interval '1 day'")
        db.execute("VACUUM ANALYZE")
        db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'bench')")
        for number in range(rounds + 5):
            due = _make_due(db)
            started = time.perf_counter()
            with db.transaction():
                db.execute(CLAIM_ROWS)
                rows = db.execute(LOG_ROWS, {"jobs": due}).fetchall()
            with db.transaction():
                ids = {"jobs": due, "runs": [run for run, _ in rows], "steps": [step for _, step in rows]}
                for statement in BOOK_ROWS:
                    db.execute(statement, ids)
            if number >= 5:
                times.append(1000 * (time.perf_counter() - started))
            assert len(rows) == DUE, f"wrote {len(rows)} of {DUE}"
    return times


def _make_due(db: Db) -> list[int]:
    """Let 64 jobs be due now; return their ids."""
    rows = db.execute(
        "UPDATE pgagent.pga_job SET jobnextrun = now()"
        " WHERE jobid IN (SELECT jobid FROM pgagent.pga_job ORDER BY 1 LIMIT %s) RETURNING jobid",
        [DUE],
    )
    return [jobid for (jobid,) in rows]


def _turn(db: Db) -> tuple[float, float]:
    """Let 64 jobs be due, claim them, finish them; return the milliseconds of the two calls."""
    _make_due(db)
    started = time.perf_counter()
    steps = db.execute(TURN, [DUE]).fetchall()
    claimed = time.perf_counter()
    assert len(steps) == DUE, f"claimed {len(steps)} of {DUE}"
    db.execute(BOOK, [[run for run, _ in steps], [step for _, step in steps]])
    return 1000 * (claimed - started), 1000 * (time.perf_counter() - claimed)
