"""The jobs of the story. Every execution of a step leaves a line in a file, outside the cluster, and SQL leaves a row inside."""

import contextlib
import random
import threading
from typing import Any

import psycopg

from tests.ha.patroni import PatroniCluster
from tests.helpers import Db, alter_step, call, rows, value, wait_for
from tests.helpers.claims import note_claims

DATABASE = "story"
SEED = 12  # of the jobs; what befalls them has a seed of its own
HALF = 0.5

# A line: time, word, kind, job, run, step, port of the server, execution. The file is opened for appending and written at once,
# so that lines stay whole, whatever is killed; it outlives all that, since the machine goes on.
RECORD = """
CREATE TABLE inside (execution text, job integer, run integer, step integer);
CREATE TABLE probe (at timestamptz);
INSERT INTO probe VALUES (now());
CREATE FUNCTION note(word text) RETURNS text LANGUAGE plpython3u AS $$
    import os, time
    (ids,) = plpy.execute("SELECT concat_ws(' ', current_setting('pgagent_py.job_id'), current_setting('pgagent_py.run_id'),"
                          " current_setting('pgagent_py.step_id'), current_setting('port')) AS all")
    if word == "begin":
        GD["execution"] = f"{os.getpid()}-{time.time_ns()}"
    file = os.open("FILE", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{time.time():.6f} {word} sql {ids['all']} {GD['execution']}\\n".encode())
    os.fsync(file)
    os.close(file)
    return GD["execution"]
$$;
CREATE FUNCTION fail() RETURNS void LANGUAGE plpgsql AS $$BEGIN PERFORM public.note('failed'); RAISE 'as planned'; END$$"""

SQL = """
INSERT INTO inside VALUES (note('begin'), current_setting('pgagent_py.job_id')::integer,
    current_setting('pgagent_py.run_id')::integer, current_setting('pgagent_py.step_id')::integer);
SELECT CASE WHEN random() < {failures} THEN fail() END, pg_sleep({seconds});
SELECT note('end')"""

BATCH = """#!/bin/bash
execution=$$-$EPOCHREALTIME
record() {{
    echo "$EPOCHREALTIME $1 batch $PGAGENT_JOB_ID $PGAGENT_RUN_ID $PGAGENT_STEP_ID 0 $execution" >> {file}
}}
record begin
sleep {seconds}
(( RANDOM % 100 < 100 * {failures} )) && {{ record failed; exit 3; }}
record end
"""


class Story:
    """The jobs in one database of a cluster, and somebody who tells some of them to run now."""

    def __init__(self, cluster: PatroniCluster) -> None:
        self.cluster = cluster
        self.file = cluster.directory / "executions"
        self.file.touch()
        self.orders: list[tuple[int, Any]] = []  # job, and the time at which it was made due
        self._called: list[int] = []
        self._ended = threading.Event()
        self._caller = threading.Thread(target=self._call, daemon=True)
        with cluster.connect() as db:
            db.execute(f"CREATE DATABASE {DATABASE}")
        with cluster.connect(DATABASE) as db:
            db.execute("CREATE EXTENSION pgagent_py CASCADE")
            note_claims(db)
            db.execute(RECORD.replace("FILE", str(self.file)).encode())
            with db.transaction():
                self._add_jobs(db, random.Random(SEED))

    def _add_jobs(self, db: Db, chance: random.Random) -> None:
        for number in range(5):
            self._add(db, f"sql {number}", [("sql", 0, {})], chance.randint(1, 3))
            self._add(db, f"batch {number}", [("batch", 0, {})], chance.randint(2, 5))
        for number in range(2):
            self._add(db, f"sql long {number}", [("sql", chance.randint(2, 5), {})], chance.randint(4, 8))
            self._add(db, f"batch long {number}", [("batch", chance.randint(2, 6), {})], chance.randint(4, 8))
            self._add(db, f"atomic {number}", [("sql", 0, {"atomic": True})], 2)
            steps = [("sql", 0, {}), ("batch", 0.5, {}), ("sql", 0.2, {"atomic": True}), ("batch", 0, {})]
            several = self._add(db, f"several {number}", steps, 4)
            after = self._add(db, f"after {number}", [("sql", 0, {}), ("batch", 0, {})], None)
            call(db, "add_dependency", after, several, when="finish")
            retried = [("batch", 0.1, {"retries": 3}), ("sql", 0.1, {"retries": 3})]
            self._add(db, f"tried again {number}", retried, 5)
            self._called.append(
                self._add(db, f"called {number}", [("sql", 0.1, {}), ("batch", 0.1, {})], None)
            )

    def _add(
        self, db: Db, name: str, steps: list[tuple[str, float, dict[str, Any]]], every: int | None
    ) -> int:
        """Add a job with steps (kind, seconds, options) that is due every so many seconds."""
        job = int(call(db, "add_job", name))
        for number, (kind, seconds, options) in enumerate(steps):
            retries = options.pop("retries", 0)
            template = SQL if kind == "sql" else BATCH
            code = template.format(seconds=seconds, failures=HALF if retries else 0, file=self.file)
            step = call(db, "add_step", job, f"{number}", **{kind: code}, on_error="ignore", **options)
            if retries:
                alter_step(db, step, retries=retries, retry_delay="0.5 s")
        if every:
            call(db, "add_schedule", job, "every", every=f"{every} s")
        return job

    def start_calling(self) -> None:
        """Tell jobs to run now, again and again, as somebody does who lives with the failovers."""
        self._caller.start()

    def _call(self) -> None:
        chance = random.Random(SEED)
        while not self._ended.wait(1):
            job = chance.choice(self._called)
            try:
                with self.cluster.connect(DATABASE) as db, db.transaction():
                    call(db, "run_now", job)
                    due = value(db, "SELECT jobnextrun FROM pgagent.pga_job WHERE jobid = %s", job)
            except psycopg.Error:
                continue
            self.orders.append((job, due))

    def end(self) -> list[tuple[Any, ...]]:
        """Let what is in progress or due end, and nothing begin after it; return what is stuck."""
        self._ended.set()
        self._caller.join()
        with self.cluster.connect(DATABASE) as db, contextlib.suppress(AssertionError):
            db.execute("UPDATE pgagent.pga_schedule SET jscenabled = false")
            wait_for(lambda: not self.in_progress(db), what="the end of all runs", every=0.2)
        with self.cluster.connect(DATABASE) as db:
            return self.in_progress(db)

    def in_progress(self, db: Db) -> list[tuple[Any, ...]]:
        """Return the jobs that are claimed or due, and the runs and steps that are logged as running."""
        return rows(
            db,
            "SELECT 'job', jobid, jobname, jobagentid FROM pgagent.pga_job WHERE jobagentid IS NOT NULL OR jobnextrun <= now()"
            " UNION ALL SELECT 'run', jlgid, NULL, jlgjobid FROM pgagent.pga_joblog WHERE jlgstatus = 'r'"
            " UNION ALL SELECT 'step', jslid, NULL, jsljlgid FROM pgagent.pga_jobsteplog WHERE jslstatus = 'r'",
        )
