"""launcher/sql_step.py and sql_pool.py against a real server: what a step may do, and what it leaves."""

import asyncio
import json
import random
import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from launcher import sql_pool, sql_step
from launcher.sql_connection import SqlConnection
from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult, StepRun
from tests.helpers import PASSWORD, PATIENCE, Cluster, Db, forms, wait_for, wait_for_row

T = TypeVar("T")
TOP = Path(__file__).resolve().parents[2]
SAY_BACKEND = "DO $$ BEGIN RAISE NOTICE 'backend %', pg_backend_pid(); END $$"


def step_run(code: str, **columns: Any) -> StepRun:
    """Return a row of step_run for an SQL step, by default in the launcher's own database."""
    run = StepRun(
        jobid=11,
        jlgid=12,
        jstid=13,
        jslid=14,
        jobname="job",
        jstname="step",
        jstkind="s",
        jstcode=code,
        jstdbname="",
        jstconnstr="",
    )
    return replace(run, **columns)


def with_pool(
    conninfo: str, scenario: Callable[[SqlPool], Awaitable[T]], workers: int = 4, **seconds: float
) -> T:
    """Run a scenario with the pool of a launcher whose connection string is *conninfo*."""

    async def main() -> T:
        pool = SqlPool(conninfo, workers, **seconds)
        try:
            async with asyncio.timeout(5 * PATIENCE):
                return await scenario(pool)
        finally:
            await pool.close()

    return asyncio.run(main())


def execute(conninfo: str, *codes: str, **columns: Any) -> list[StepResult]:
    """Execute steps one after another on the one connection of one pool."""

    async def scenario(pool: SqlPool) -> list[StepResult]:
        return [await SqlStep(step_run(code, **columns), pool).execute() for code in codes]

    return with_pool(conninfo, scenario, workers=1)


def backend_of(result: StepResult) -> int:
    """Return the process id that SAY_BACKEND told."""
    match = re.search(r"backend (\d+)", result.jsloutput)
    assert match, result
    return int(match[1])


@asynccontextmanager
async def running(step: SqlStep) -> AsyncIterator[asyncio.Task[StepResult]]:
    """Start a step; give its task."""
    task = asyncio.create_task(step.execute())
    try:
        yield task
    finally:
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.done()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition without holding up the steps."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


# Keeps a step where it is for as long as a Gate is shut.
WAIT_AT_GATE = "SELECT pg_advisory_lock_shared(7361)"


class Gate:
    """Stops the steps that WAIT_AT_GATE in a database, until it is opened."""

    def __init__(self, conninfo: str) -> None:
        self._db = psycopg.connect(conninfo, autocommit=True)
        self._db.execute("SELECT pg_advisory_lock(7361)")

    def waiting(self) -> int:
        """Return how many wait."""
        row = self._db.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database AND d.datname = current_database()"
            " WHERE locktype = 'advisory' AND objid = 7361 AND NOT granted"
        ).fetchone()
        assert row
        return int(row[0])

    async def holds(self, number: int) -> None:
        """Wait until so many steps wait."""
        await until(lambda: self.waiting() == number)

    def open(self) -> None:
        """Let all go on."""
        self._db.close()


@contextmanager
def gate_of(conninfo: str) -> Iterator[Gate]:
    """Give a gate that is shut."""
    gate = Gate(conninfo)
    try:
        yield gate
    finally:
        gate.open()


@pytest.fixture(scope="module")
def shared(cluster: Cluster) -> Iterator[str]:
    """Return the connection string of a database for tests that leave nothing in it."""
    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE shared_by_sql_steps")
        yield cluster.conninfo("shared_by_sql_steps")
        admin.execute("DROP DATABASE shared_by_sql_steps WITH (FORCE)")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a step wait for a connection being reset as long as it takes on a busy machine."""
    monkeypatch.setattr(sql_pool, "RESET_SECONDS", PATIENCE)


# --- what a step returns


@pytest.mark.parametrize(
    ("code", "status", "rows", "output"),
    [
        ("SELECT generate_series(1, 20)", "s", 20, "SELECT 20\n"),
        (
            "SELECT 1; SELECT generate_series(1, 3); SELECT 1 WHERE false",
            "s",
            0,
            "SELECT 1\nSELECT 3\nSELECT 0\n",
        ),
        ("CREATE TEMP TABLE t (); INSERT INTO t DEFAULT VALUES", "s", 1, "CREATE TABLE\nINSERT 0 1\n"),
        ("", "s", 0, ""),
        (";;", "s", 0, ""),
        ("-- nothing", "s", 0, ""),
        ("SELECT 1/0", "f", -1, "ERROR:  division by zero\n"),
        (
            "SELECT 1; SELECT nothing",
            "f",
            -1,
            'SELECT 1\nERROR:  column "nothing" does not exist\nLINE 1: SELECT 1; SELECT nothing\n'
            "                         ^\n",
        ),
        (
            "DO $$ BEGIN RAISE NOTICE 'n' USING DETAIL = 'd', HINT = 'h'; RAISE WARNING 'w'; END $$",
            "s",
            0,
            "NOTICE:  n\nDETAIL:  d\nHINT:  h\nWARNING:  w\nDO\n",
        ),
        (
            "DO $$ BEGIN RAISE 'bad' USING DETAIL = 'd', HINT = 'h'; END $$",
            "f",
            -1,
            "ERROR:  bad\nDETAIL:  d\nHINT:  h\nCONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE\n",
        ),
        ("COPY (SELECT 'a' UNION ALL SELECT 'b') TO STDOUT; SELECT 1", "s", 1, "a\nb\nCOPY 2\nSELECT 1\n"),
        ("SELECT 'gr\u00fcn \U0001f600'::no_type", "f", -1, None),
    ],
)
def test_result_and_output(shared: str, code: str, status: str, rows: int, output: str | None) -> None:
    [result] = execute(shared, code)
    assert (result.jlgid, result.jslid) == (12, 14)
    assert (result.jslstatus, result.jslresult) == (status, rows)
    if output is None:
        assert "LINE 1: SELECT 'gr\u00fcn \U0001f600'::no_type" in result.jsloutput
    else:
        assert result.jsloutput == output


def test_duration_is_the_time_in_seconds(shared: str) -> None:
    begin = time.monotonic()
    [result] = execute(shared, "SELECT pg_sleep(0.3)")
    assert 0.3 <= result.jslduration <= time.monotonic() - begin


@pytest.mark.parametrize(
    "code",
    [
        "VACUUM",
        "CREATE DATABASE made_by_step",
        "CREATE INDEX CONCURRENTLY i ON t (n)",
        "DO $$ BEGIN FOR i IN 1..3 LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP; END $$",
        "BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN; INSERT INTO t VALUES (2); COMMIT",
    ],
)
def test_steps_run_at_top_level(database: str, db: Db, code: str) -> None:
    db.execute("CREATE TABLE t (n int)")
    [result] = execute(database, code)
    assert result.jslstatus == "s", result
    db.execute("DROP DATABASE IF EXISTS made_by_step")


def test_an_error_undoes_the_statements_before_it_and_skips_those_after(database: str, db: Db) -> None:
    db.execute("CREATE TABLE t (n int)")
    [result] = execute(database, "INSERT INTO t VALUES (1); SELECT 1/0; INSERT INTO t VALUES (2)")
    assert (result.jslstatus, result.jslresult) == ("f", -1)
    assert result.jsloutput == "INSERT 0 1\nERROR:  division by zero\n"
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_long_code(shared: str) -> None:
    [result] = execute(shared, f"SELECT length('{'x' * 20_000_000}') / (1 - 1)")
    assert result.jsloutput == "ERROR:  division by zero\n"


# --- what a step leaves behind


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("code", "trace"),
    [
        ("SET work_mem = '77MB'", "SELECT current_setting('work_mem') = '77MB'"),
        ("SET search_path = pg_catalog", "SELECT current_setting('search_path') = 'pg_catalog'"),
        ("SET my.variable = 'x'", "SELECT current_setting('my.variable', true) = 'x'"),
        ("SET client_encoding = 'LATIN1'", "SELECT current_setting('client_encoding') <> 'UTF8'"),
        ("SET ROLE pg_monitor", "SELECT current_user = 'pg_monitor'"),
        ("SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user = 'pg_monitor'"),
        ("CREATE TEMP TABLE x ()", "SELECT to_regclass('pg_temp.x') IS NOT NULL"),
        ("LISTEN a; NOTIFY a", "SELECT EXISTS (SELECT pg_listening_channels())"),
        (
            "SELECT pg_advisory_lock(1)",
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
        ),
        ("PREPARE p AS SELECT 1", "SELECT EXISTS (SELECT FROM pg_prepared_statements)"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT EXISTS (SELECT FROM pg_cursors)"),
        (
            "BEGIN; CREATE TABLE left_open (); SELECT pg_advisory_xact_lock(2)",
            "SELECT to_regclass('left_open') IS NOT NULL"
            " OR EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
        ),
        ("BEGIN; SELECT 1/0", "SELECT false"),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SELECT current_setting('transaction_read_only')::bool",
        ),
    ],
)
def test_every_step_starts_in_a_fresh_session(shared: str, code: str, trace: str) -> None:
    look = f"DO $$ BEGIN RAISE NOTICE 'backend %, trace %', pg_backend_pid(), ({trace}); END $$"
    before, _, after = execute(shared, SAY_BACKEND, code, look)
    assert backend_of(before) == backend_of(after)
    assert "trace f" in after.jsloutput


def test_a_trace_would_be_seen(shared: str) -> None:
    [result] = execute(
        shared, "SET work_mem = '77MB'; SELECT 1 / (current_setting('work_mem') <> '77MB')::int"
    )
    assert result.jslstatus == "f"


@pytest.mark.parametrize(("code", "status"), [("BEGIN; SELECT 1", "s"), ("BEGIN; SELECT 1/0", "f")])
def test_a_transaction_left_open_is_rolled_back_and_said(shared: str, code: str, status: str) -> None:
    [result] = execute(shared, code)
    assert result.jslstatus == status
    assert result.jsloutput.endswith("The step left a transaction open; it was rolled back.\n")


def test_a_step_that_terminates_its_backend_fails_alone(shared: str) -> None:
    async def scenario(pool: SqlPool) -> tuple[StepResult, StepResult, StepResult]:
        other = SqlStep(step_run("SELECT pg_sleep(0.5)"), pool)
        async with running(other) as task:
            suicide = await SqlStep(step_run("SELECT pg_terminate_backend(pg_backend_pid())"), pool).execute()
            after = await SqlStep(step_run("SELECT 1"), pool).execute()
            return suicide, after, await task

    suicide, after, beside = with_pool(shared, scenario)
    assert (suicide.jslstatus, suicide.jslresult) == ("f", -1)
    assert "FATAL:  terminating connection due to administrator command" in suicide.jsloutput
    assert (after.jslstatus, beside.jslstatus) == ("s", "s")


def test_copy_from_stdin_gets_an_error_and_the_step_ends(database: str, db: Db) -> None:
    db.execute("CREATE TABLE t (n int)")
    [result, after] = execute(database, "COPY t FROM STDIN; SELECT 1", "SELECT 1")
    assert (result.jslstatus, after.jslstatus) == ("f", "s")
    assert "ERROR:  COPY from stdin failed: an SQL step has no standard input\n" in result.jsloutput


def test_a_replication_stream_ends_with_an_error(cluster: Cluster, shared: str) -> None:
    connstr = cluster.conninfo("postgres", replication="database")

    async def scenario(pool: SqlPool) -> StepResult:
        code = "START_REPLICATION PHYSICAL 0/1000000"
        return await SqlStep(step_run(code, jstconnstr=connstr), pool).execute()

    result = with_pool(shared, scenario)
    assert result.jslstatus == "f"
    assert "replication stream" in result.jsloutput


# --- how much a step may send


class Watch:
    """The growth of this process in bytes, and how many times it went to read what the server has sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._process = psutil.Process()
        self.growth = self.reads = 0
        read = SqlConnection._readable

        def count(connection: SqlConnection) -> None:
            self.reads += 1
            read(connection)

        monkeypatch.setattr(SqlConnection, "_readable", count)

    async def watch(self) -> None:
        start, self.reads = self._process.memory_info().rss, 0
        while True:
            await asyncio.sleep(0.005)
            self.growth = max(self.growth, self._process.memory_info().rss - start)


@pytest.fixture
def execute_watched(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[StepResult, Watch]]:
    """Return what executes a step that sends much, and tells what that did to this process."""

    async def scenario(pool: SqlPool, code: str) -> tuple[StepResult, Watch]:
        watch = Watch(monkeypatch)
        await SqlStep(step_run("SELECT 1"), pool).execute()
        task = asyncio.create_task(watch.watch())
        try:
            return await SqlStep(step_run(code), pool, 100_000).execute(), watch
        finally:
            task.cancel()

    return lambda code: with_pool(shared, lambda pool: scenario(pool, code))


MIB = 1024 * 1024
# What may be read before the loop turns again. A socket holds less; only who reads to the end in one go reads more.
AT_ONCE = 2 * MIB


@pytest.mark.parametrize(
    ("code", "rows", "output", "size"),
    [
        ("SELECT generate_series(1, 3000000)", 3_000_000, "SELECT 3000000\n", 50),
        ("SELECT repeat('x', 1000000) FROM generate_series(1, 300)", 300, "SELECT 300\n", 280),
        ("COPY (SELECT generate_series(1, 3000000)) TO STDOUT", 3_000_000, "bytes cut", 35),
        ("DO $$ BEGIN FOR i IN 1..600000 LOOP RAISE NOTICE '%', i; END LOOP; END $$", 0, "bytes cut", 50),
    ],
    ids=["rows", "wide rows", "copy", "notices"],
)
def test_memory_stays_flat_and_the_loop_turns(
    execute_watched: Callable[[str], tuple[StepResult, Watch]], code: str, rows: int, output: str, size: int
) -> None:
    """*size*: MiB that the server sends."""
    result, watch = execute_watched(code)
    assert (result.jslstatus, result.jslresult) == ("s", rows)
    assert output in result.jsloutput
    assert len(result.jsloutput) < 101_000
    assert watch.growth < size * MIB / 4
    assert watch.reads > size * MIB / AT_ONCE


def test_notifications_that_nobody_reads_take_no_memory(
    execute_watched: Callable[[str], tuple[StepResult, Watch]],
) -> None:
    code = "SELECT pg_notify('a', n || repeat('x', 1000)) FROM generate_series(1, 100000) n"
    result, watch = execute_watched(f"LISTEN a; {code}")
    assert result.jslstatus == "s"
    assert watch.growth < 100 * MIB / 4


# --- connections


@pytest.mark.usefixtures("patient")
def test_one_connection_serves_step_after_step(shared: str) -> None:
    results = execute(shared, *[SAY_BACKEND] * 20)
    assert len({backend_of(result) for result in results}) == 1


def test_steps_at_the_same_time_have_a_connection_each(shared: str) -> None:
    async def scenario(pool: SqlPool) -> list[StepResult]:
        with gate_of(shared) as gate:
            steps = [SqlStep(step_run(f"{WAIT_AT_GATE}; {SAY_BACKEND}"), pool) for _ in range(8)]
            tasks = [asyncio.create_task(step.execute()) for step in steps]
            await gate.holds(8)
        return await asyncio.gather(*tasks)

    results = with_pool(shared, scenario, workers=8)
    assert len({backend_of(result) for result in results}) == 8


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("patience", "connections"), [(PATIENCE, sql_pool.SHARED_CONNECTIONS), (0.0, 12)])
def test_steps_on_warm_connections_share_few_of_them_and_use_the_others_if_these_do_not_come_back(
    shared: str, monkeypatch: pytest.MonkeyPatch, patience: float, connections: int
) -> None:
    async def scenario(pool: SqlPool) -> list[StepResult]:
        async def at_once(code: str, wait: bool) -> list[StepResult]:
            if not wait:
                return await asyncio.gather(*(SqlStep(step_run(code), pool).execute() for _ in range(12)))
            with gate_of(shared) as gate:
                code = f"{WAIT_AT_GATE}; {code}"
                tasks = [asyncio.create_task(SqlStep(step_run(code), pool).execute()) for _ in range(12)]
                await gate.holds(12)
            return await asyncio.gather(*tasks)

        await at_once("SELECT 1", True)
        (target,) = pool._targets.values()
        await until(lambda: len(target.idle) == 12 and not target.spread_planned)
        monkeypatch.setattr(sql_pool, "SHARE_SECONDS", patience)
        return await at_once(SAY_BACKEND, not patience)

    results = with_pool(shared, scenario, workers=12)
    assert len({backend_of(result) for result in results}) == connections


def test_a_step_does_not_wait_for_connections_that_are_out_for_long(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(pool: SqlPool) -> bool:
        number = sql_pool.SHARED_CONNECTIONS + 2
        with gate_of(shared) as gate:
            long = [
                asyncio.create_task(SqlStep(step_run(WAIT_AT_GATE), pool).execute()) for _ in range(number)
            ]
            await gate.holds(number)
            (target,) = pool._targets.values()
            await until(lambda: len(target.just_out) < sql_pool.SHARED_CONNECTIONS)
            monkeypatch.setattr(sql_pool, "SHARE_SECONDS", PATIENCE)
            await SqlStep(step_run("SELECT 1"), pool).execute()
            still_out = gate.waiting() == number
        await asyncio.gather(*long)
        return still_out

    assert with_pool(shared, scenario, workers=8)


def test_a_long_reset_does_not_hold_up_another_step(database: str) -> None:
    """The first step's temporary table can't be dropped as long as another session has a catalog locked."""

    async def scenario(pool: SqlPool) -> list[StepResult]:
        with psycopg.connect(database) as session:
            with gate_of(database) as gate:
                code = f"CREATE TEMP TABLE x (); COMMIT; {WAIT_AT_GATE}; {SAY_BACKEND}"
                first = asyncio.create_task(SqlStep(step_run(code), pool).execute())
                await gate.holds(1)
                session.execute("LOCK TABLE pg_depend IN SHARE ROW EXCLUSIVE MODE")
            return [await first, await SqlStep(step_run(SAY_BACKEND), pool).execute()]

    first, second = with_pool(database, scenario)
    assert (first.jslstatus, second.jslstatus) == ("s", "s")
    assert backend_of(first) != backend_of(second)


def test_idle_connections_are_closed_after_a_while(database: str, db: Db) -> None:
    """Those that nobody has used meanwhile."""

    async def scenario(pool: SqlPool) -> None:
        async def execute_together(number: int) -> list[asyncio.Task[StepResult]]:
            steps = [SqlStep(step_run(WAIT_AT_GATE), pool) for _ in range(number)]
            tasks = [asyncio.create_task(step.execute()) for step in steps]
            await gate.holds(number)
            return tasks

        with gate_of(database) as gate:
            tasks = await execute_together(3)
            assert backends(db) == 3
        await asyncio.gather(*tasks)
        with gate_of(database) as gate:
            tasks = await execute_together(1)
            await until(lambda: backends(db) == 1)
        await asyncio.gather(*tasks)
        await until(lambda: backends(db) == 0)

    with_pool(database, scenario, idle_seconds=0.5)


@pytest.mark.usefixtures("patient")
def test_a_role_that_may_not_log_in_any_more_stops_even_if_its_steps_keep_a_connection_warm(
    database: str, db: Db
) -> None:
    db.execute("CREATE ROLE leaving LOGIN")

    async def scenario(pool: SqlPool) -> None:
        async def execute_step() -> StepResult:
            return await SqlStep(step_run(SAY_BACKEND, jobrunas="leaving"), pool).execute()

        first = await execute_step()
        db.execute("ALTER ROLE leaving NOLOGIN")
        assert backend_of(await execute_step()) == backend_of(first)
        pool._use_seconds = 0.5
        async with asyncio.timeout(PATIENCE):
            while (result := await execute_step()).jslstatus == "s":
                await asyncio.sleep(0.01)
        assert "is not permitted to log in" in result.jsloutput

    try:
        with_pool(database, scenario, workers=1, use_seconds=5 * PATIENCE)
    finally:
        db.execute("DROP ROLE leaving")


def backends(db: Db) -> int:
    """Return the number of connections of our pools on this database, and of steps elsewhere."""
    row = db.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgagent-py'"
        " AND datname ~ current_database()"
    ).fetchone()
    assert row
    return int(row[0])


def test_no_more_connections_than_workers(database: str, db: Db) -> None:
    names = [f"{db.info.dbname}_{number}" for number in range(4)]
    for name in names:
        db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    async def scenario(pool: SqlPool) -> int:
        most = 0
        for name in names * 2:
            result = await SqlStep(step_run("SELECT 1", jstdbname=name), pool).execute()
            assert result.jslstatus == "s"
            await until(lambda: backends(db) <= 2)
            most = max(most, backends(db))
        return most

    try:
        assert with_pool(database, scenario, workers=2) == 2
    finally:
        for name in names:
            db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_a_step_runs_in_its_database_or_where_its_connection_string_says(
    cluster: Cluster, database: str
) -> None:
    say = (
        "DO $$ BEGIN RAISE NOTICE '% % %', current_database(), session_user, current_setting('port'); END $$"
    )
    name = conninfo_to_dict(database)["dbname"]

    async def scenario(pool: SqlPool) -> list[str]:
        runs = [
            step_run(say),
            step_run(say, jstdbname="postgres"),
            step_run(say, jstconnstr=cluster.conninfo("template1")),
            step_run(
                say,
                jstconnstr=f"postgresql://postgres@/template1?host={cluster.directory}&port={cluster.port}",
            ),
        ]
        return [(await SqlStep(run, pool).execute()).jsloutput for run in runs]

    rest = f"postgres {cluster.port}\nDO\n"
    assert with_pool(database, scenario) == [
        f"NOTICE:  {name} {rest}",
        f"NOTICE:  postgres {rest}",
        f"NOTICE:  template1 {rest}",
        f"NOTICE:  template1 {rest}",
    ]


def test_connections_may_be_declared_old(shared: str) -> None:
    async def scenario(pool: SqlPool) -> list[int]:
        first = await SqlStep(step_run(SAY_BACKEND), pool).execute()
        pool.close_idle()
        with gate_of(shared) as gate:
            slow = asyncio.create_task(SqlStep(step_run(f"{SAY_BACKEND}; {WAIT_AT_GATE}"), pool).execute())
            await gate.holds(1)
            pool.close_idle()
        last = await SqlStep(step_run(SAY_BACKEND), pool).execute()
        return [backend_of(result) for result in (first, await slow, last)]

    assert len(set(with_pool(shared, scenario, workers=1))) == 3


# --- connections that can't be had


@pytest.fixture
def over_tcp(cluster: Cluster, database: str) -> str:
    """Return a connection string that needs the password, and has it."""
    return make_conninfo(database, host="127.0.0.1", port=cluster.port, password=PASSWORD)


SECRET = "geheim-7361"


@pytest.mark.parametrize(
    ("connstr", "words"),
    [
        ("dbname=nowhere", 'FATAL:  database "nowhere" does not exist'),
        (f"host=127.0.0.1 password={SECRET}", 'FATAL:  password authentication failed for user "postgres"'),
        (f"host=127.0.0.1 port=1 password={SECRET}", "Connection refused"),
        (f"host=no.such.host.invalid password={SECRET}", "failed to resolve host 'no.such.host.invalid'"),
        (f"host=a..b password={SECRET}", "label empty or too long"),
        (f"password=my {SECRET} dbname=x", 'missing "=" after "..." in connection info string'),
        (f"hots=x password={SECRET}", 'invalid connection option "..."'),
        (f"password='{SECRET}", "unterminated quoted string in connection info string"),
        (f"postgresql://postgres:p@{SECRET}@127.0.0.1/postgres", "more than one @"),
        (f"postgresql://postgres:1/{SECRET}@127.0.0.1/postgres", "has a / before its @"),
        (f"postgresql://postgres:{SECRET}", "failed to resolve host 'postgres'"),
        (f"postgresql://postgres:{SECRET}@127.0.0.1:port/", 'invalid integer value "port"'),
    ],
)
def test_a_connection_that_is_refused_is_told_in_the_servers_or_libpqs_words(
    cluster: Cluster, shared: str, connstr: str, words: str
) -> None:
    if not connstr.startswith("postgresql:"):
        base = cluster.conninfo("postgres")
        connstr = f"{base} {connstr}"
    [result] = execute(shared, "SELECT 1", jstconnstr=connstr)
    assert (result.jslstatus, result.jslresult) == ("f", -1)
    assert words in result.jsloutput
    assert SECRET not in result.jsloutput


def test_a_database_name_is_a_name_and_nothing_else(shared: str) -> None:
    [result] = execute(shared, "SELECT 1", jstdbname="host=127.0.0.1 port=1")
    assert 'FATAL:  database "host=127.0.0.1 port=1" does not exist' in result.jsloutput


@pytest.fixture
def role(cluster: Cluster) -> Iterator[str]:
    """Return a role that may log in, with the superuser's password."""
    name = f"role_{uuid.uuid4().hex[:12]}"
    with cluster.connect() as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(PASSWORD))
        )
        yield name
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_step_of_a_role_logs_in_as_it(shared: str, role: str) -> None:
    code = "RESET ROLE; RESET SESSION AUTHORIZATION; DO $$ BEGIN RAISE NOTICE '% %', session_user, current_user; END $$"
    [result] = execute(shared, code, jobrunas=role)
    assert f"NOTICE:  {role} {role}\n" in result.jsloutput
    [result] = execute(shared, "SET SESSION AUTHORIZATION postgres", jobrunas=role)
    assert "ERROR:  permission denied" in result.jsloutput


def test_a_step_of_a_role_never_gets_the_launchers_password(
    over_tcp: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [mine] = execute(over_tcp, "SELECT 1")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    [in_string] = execute(over_tcp, "SELECT 1", jobrunas=role)
    [in_environment] = execute(make_conninfo(over_tcp, password=None), "SELECT 1", jobrunas=role)
    assert mine.jslstatus == "s"
    for result in (in_string, in_environment):
        assert result.jslstatus == "f"
        assert "no password supplied" in result.jsloutput


def test_a_step_of_a_role_has_no_connection_string(shared: str, role: str) -> None:
    [result] = execute(shared, "SELECT 1", jobrunas=role, jstconnstr=shared)
    assert result.jslstatus == "f"
    assert "can't have a connection string" in result.jsloutput


def test_a_step_waits_for_a_connection_slot(
    shared: str, cluster: Cluster, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0
    connect = psycopg.AsyncConnection.connect

    async def count(*arguments: Any, **options: Any) -> Any:
        nonlocal tried
        tried += 1
        return await connect(*arguments, **options)

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", count)
    with cluster.connect() as admin:
        admin.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 1").format(sql.Identifier(role)))
    held = psycopg.connect(shared, user=role)

    async def scenario(pool: SqlPool) -> tuple[str, StepResult]:
        step = SqlStep(step_run("SELECT 1", jobrunas=role), pool)
        async with running(step) as task:
            await until(lambda: bool(step.output_so_far()))
            waiting = step.output_so_far()
            await until(lambda: tried == 3)
            assert not task.done()
            held.close()
            return waiting, await task

    waiting, result = with_pool(shared, scenario)
    assert waiting.startswith("Waiting for a connection: connection to server")
    assert "FATAL:  too many connections for role" in waiting
    assert (result.jslstatus, result.jslresult) == ("s", 1)
    assert result.jsloutput == waiting + "SELECT 1\n"


def test_a_server_without_slots_is_waited_for(own_cluster: Cluster) -> None:
    own_cluster.stop()
    own_cluster.start(max_connections=6, superuser_reserved_connections=0, max_wal_senders=0)
    held = [own_cluster.connect() for _ in range(6)]

    async def scenario(pool: SqlPool) -> list[StepResult]:
        steps = [SqlStep(step_run("SELECT 1"), pool) for _ in range(3)]
        tasks = [asyncio.create_task(step.execute()) for step in steps]
        await until(lambda: all(step.output_so_far() for step in steps))
        held.pop().close()
        return list(await asyncio.gather(*tasks))

    results = with_pool(own_cluster.conninfo(), scenario)
    for connection in held:
        connection.close()
    assert [result.jslstatus for result in results] == ["s"] * 3
    assert all("FATAL:  sorry, too many clients already" in result.jsloutput for result in results)


def test_the_launchers_own_server_is_waited_for_and_no_other(own_cluster: Cluster) -> None:
    own_cluster.stop()
    [remote] = execute(own_cluster.conninfo(), "SELECT 1", jstconnstr=own_cluster.conninfo())
    assert remote.jslstatus == "f"
    assert "No such file or directory" in remote.jsloutput

    async def scenario(pool: SqlPool) -> StepResult:
        step = SqlStep(step_run("SELECT 1"), pool)
        async with running(step) as task:
            await until(lambda: bool(step.output_so_far()))
            await asyncio.to_thread(own_cluster.start)
            return await task

    local = with_pool(own_cluster.conninfo(), scenario)
    assert (local.jslstatus, local.jslresult) == ("s", 1)


ASLEEP = """
    SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE %s AND wait_event = 'PgSleep'"""


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_server(own_cluster: Cluster, mode: Any) -> None:
    async def scenario(pool: SqlPool) -> tuple[StepResult, StepResult]:
        cut = SqlStep(step_run("SELECT pg_sleep(600)"), pool)
        async with running(cut) as task:
            with own_cluster.connect() as looking:
                await until(lambda: looking.execute(ASLEEP, ["%"]).rowcount == 1)
            await SqlStep(step_run("SELECT 1"), pool).execute()  # leaves a warm connection behind
            await asyncio.to_thread(own_cluster.restart, mode)
            return await task, await SqlStep(step_run("SELECT 1"), pool).execute()

    cut, after = with_pool(own_cluster.conninfo(), scenario)
    assert (cut.jslstatus, cut.jslresult) == ("f", -1)
    assert "terminating connection" in cut.jsloutput or "server closed the connection" in cut.jsloutput
    assert (after.jslstatus, after.jsloutput) == ("s", "SELECT 1\n")


def test_warm_connections_that_were_cut_are_not_used(database: str, db: Db) -> None:
    async def scenario(pool: SqlPool) -> StepResult:
        await SqlStep(step_run("SELECT 1"), pool).execute()
        await until(lambda: backends(db) == 1)
        query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'pgagent-py'"
        assert db.execute(query).fetchall() == [(True,)]  # the loop does not turn between this and the step
        return await SqlStep(step_run("SELECT 1"), pool).execute()

    assert with_pool(database, scenario).jslstatus == "s"


def test_a_killed_launchers_step_ends_on_the_server(database: str, db: Db) -> None:
    program = (
        "import asyncio, json, sys\n"
        "from launcher.sql_step import SqlStep\nfrom launcher.sql_pool import SqlPool\n"
        "from launcher.step import StepRun\n"
        "async def main():\n"
        "    conninfo, run = json.loads(sys.argv[1])\n"
        "    await SqlStep(StepRun(**run), SqlPool(conninfo, 1)).execute()\n"
        "asyncio.run(main())\n"
    )
    run = {name: getattr(step_run("SELECT pg_sleep(600)"), name) for name in StepRun.__dataclass_fields__}
    process = subprocess.Popen([sys.executable, "-c", program, json.dumps([database, run])], cwd=TOP)
    try:
        query = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
        wait_for_row(db, query)
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not db.execute(query).fetchall(), what="the end of the step's backend")


# --- stopping


def stop_while_running(conninfo: str, code: str, **stop: Any) -> StepResult:
    """Cancel a step once its query, which sleeps, does so; a step after it must not notice."""

    async def scenario(pool: SqlPool) -> StepResult:
        step = SqlStep(step_run(f"DO $$ BEGIN RAISE NOTICE 'begun'; END $$; {code}"), pool)
        async with running(step) as task:
            with psycopg.connect(conninfo, autocommit=True) as looking:
                await until(lambda: looking.execute(ASLEEP, ["%begun%"]).rowcount == 1)
            await until(lambda: "begun" in step.output_so_far())
            step.cancel("Stopped by the test.", **stop)
            step.cancel("Stopped again.", "f")
            result = await task
        step.cancel("Too late.")
        for _ in range(5):
            after = await SqlStep(step_run("SELECT pg_sleep(0.02)"), pool).execute()
            assert after.jslstatus == "s", after
        return result

    return with_pool(conninfo, scenario)


def test_cancel(shared: str) -> None:
    result = stop_while_running(shared, "SELECT pg_sleep(600)")
    assert (result.jslstatus, result.jslresult) == ("d", -1)
    assert result.jsloutput == (
        "NOTICE:  begun\nDO\nERROR:  canceling statement due to user request\nStopped by the test.\n"
    )
    assert result.jslduration < 600


def test_cancel_with_another_status(shared: str) -> None:
    assert stop_while_running(shared, "SELECT pg_sleep(600)", status="f").jslstatus == "f"


# A cancel request is two signals, to the backend and to its process group: the second may come while the first is handled.
STUBBORN = """
DO $$ BEGIN LOOP
    BEGIN
        BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(0.02); END;
    EXCEPTION WHEN query_canceled THEN NULL; END;
END LOOP; END $$"""


@pytest.mark.parametrize("kill", [False, True])
def test_code_that_catches_the_cancel_is_dropped_in_the_end(
    database: str, db: Db, monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    monkeypatch.setattr(sql_step, "CANCEL_REPEAT_SECONDS", 0.1)
    monkeypatch.setattr(sql_step, "CANCEL_GIVE_UP_SECONDS", 1.0)
    result = stop_while_running(database, STUBBORN, kill=kill)
    assert result.jslstatus == "d"
    assert "The server did not react to cancel requests; the connection was dropped.\n" in result.jsloutput
    assert result.jsloutput.endswith("Stopped by the test.\n")
    assert result.jslduration < 600
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%begun%' AND pid <> pg_backend_pid()"
    wait_for(lambda: db.execute(query).fetchone() == (0,), what="the server ends what nobody waits for")


def test_code_that_catches_one_cancel_gets_another(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_step, "CANCEL_REPEAT_SECONDS", 0.1)
    code = (
        "DO $$ BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN RAISE NOTICE 'once'; END $$;"
        " SELECT pg_sleep(600)"
    )
    result = stop_while_running(shared, code)
    assert "NOTICE:  once\n" in result.jsloutput
    assert "ERROR:  canceling statement due to user request\n" in result.jsloutput


def test_cancel_before_the_start(shared: str) -> None:
    async def scenario(pool: SqlPool) -> StepResult:
        step = SqlStep(step_run("SELECT 1"), pool)
        step.cancel("Never mind.")
        return await step.execute()

    result = with_pool(shared, scenario)
    assert (result.jslstatus, result.jsloutput) == ("d", "Never mind.\n")


def test_cancel_and_timeout_while_waiting_for_a_connection(own_cluster: Cluster) -> None:
    own_cluster.stop()

    async def scenario(pool: SqlPool) -> tuple[StepResult, StepResult]:
        step = SqlStep(step_run("SELECT 1"), pool)
        async with running(step) as task:
            await until(lambda: bool(step.output_so_far()))
            step.cancel("Stopped by the test.")
            stopped = await task
        return stopped, await SqlStep(step_run("SELECT 1", jsttimeout=0.3), pool).execute()

    stopped, timed_out = with_pool(own_cluster.conninfo(), scenario)
    assert stopped.jslstatus == "d"
    assert stopped.jsloutput.endswith("Stopped by the test.\n")
    assert timed_out.jslstatus == "f"
    assert timed_out.jsloutput.endswith("The step was cancelled after its timeout of 0.3 s.\n")
    assert timed_out.jslduration >= 0.3


def test_timeout(shared: str) -> None:
    [result, after] = execute(shared, "SELECT pg_sleep(600)", "SELECT 1", jsttimeout=1)
    assert (result.jslstatus, after.jslstatus) == ("f", "s")
    assert result.jsloutput == (
        "ERROR:  canceling statement due to user request\nThe step was cancelled after its timeout of 1 s.\n"
    )
    assert 1 <= result.jslduration < 600


def test_a_step_whose_task_is_cancelled_leaves_no_connection(database: str, db: Db) -> None:
    async def scenario(pool: SqlPool) -> None:
        step = SqlStep(step_run(SAY_BACKEND + "; SELECT pg_sleep(600)"), pool)
        task = asyncio.create_task(step.execute())
        await until(lambda: "backend" in step.output_so_far())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: backends(db) == 0)

    with_pool(database, scenario)


def test_closing_the_pool_ends_steps_that_run_or_wait(own_cluster: Cluster) -> None:
    async def scenario(pool: SqlPool) -> list[StepResult]:
        step = SqlStep(step_run("DO $$ BEGIN RAISE NOTICE 'begun'; END $$; SELECT pg_sleep(600)"), pool)
        away = SqlStep(step_run("SELECT 1", jstconnstr="host=127.0.0.1 port=1 connect_timeout=60"), pool)
        tasks = [asyncio.create_task(one.execute()) for one in (step, away)]
        await until(lambda: "begun" in step.output_so_far())
        await pool.close()
        return list(await asyncio.gather(*tasks))

    assert [result.jslstatus for result in with_pool(own_cluster.conninfo(), scenario)] == ["f", "f"]


# --- what a step is told


def test_a_step_is_told_its_ids_and_the_jobs_parameters(shared: str) -> None:
    code = (
        "DO $$ BEGIN RAISE NOTICE '% % % %', current_setting('pgagent_py.job_id'),"
        " current_setting('pgagent_py.run_id'), current_setting('pgagent_py.step_id'),"
        " current_setting('pgagent_py.parameters')::jsonb ->> 'a'; END $$"
    )
    parameters = json.dumps({"a": 'it\'s \\ "quoted" \u00fc'})
    [result] = execute(shared, code, jobparameters=parameters)
    assert result.jsloutput == 'NOTICE:  11 12 13 it\'s \\ "quoted" \u00fc\nDO\n'


@pytest.mark.usefixtures("patient")
def test_a_function_is_told_ids_and_parameters_of_the_step_that_calls_it(database: str, db: Db) -> None:
    """The step's code shows nothing of it; one without parameters has an empty object, not those of the step before."""
    db.execute(
        "CREATE FUNCTION given() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '<% %>',"
        " current_setting('pgagent_py.run_id'), current_setting('pgagent_py.parameters')::jsonb; END $$"
    )
    say = "DO $$ BEGIN RAISE NOTICE 'backend %', pg_backend_pid(); PERFORM given(); END $$"

    async def scenario(pool: SqlPool) -> list[StepResult]:
        runs = [step_run(say, jlgid=1, jobparameters='{"a": 1}'), step_run(say, jlgid=2)]
        return [await SqlStep(run, pool).execute() for run in runs]

    results = with_pool(database, scenario, workers=1)
    assert len({backend_of(result) for result in results}) == 1
    told = [re.findall("<(.*)>", result.jsloutput) for result in results]
    assert told == [['1 {"a": 1}'], ["2 {}"]]


# --- atomic steps


@pytest.fixture
def agent(db: Db) -> Db:
    """Return a connection that is registered as a launcher."""
    db.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'here')")
    db.execute("CREATE TABLE effect (n int)")
    return db


def hand_out(agent: Db, code: str) -> StepRun:
    """Let a new job with an atomic step fall due; return the step, as run_due hands it out."""
    row = agent.execute("SELECT pgagent_py.add_job('atomic')").fetchone()
    assert row
    agent.execute("SELECT pgagent_py.add_step(%s, 'step', sql => %s, atomic => true)", [row[0], code])
    agent.execute("UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid = %s", row)
    handed = agent.execute(
        "SELECT jobid, jlgid, jstid, jslid, jobname, jstname, jstkind, jstcode, jstdbname, jstconnstr, jstatomic"
        " FROM pgagent_py.run_due(1)"
    ).fetchall()
    assert len(handed) == 1
    run = StepRun(*handed[0])
    assert run.jstatomic
    return run


def booked(agent: Db, run: StepRun) -> Any:
    """Return what the step's log entry says, and the effects of its code."""
    row = agent.execute(
        "SELECT jslstatus, jslresult, jsloutput, (SELECT array_agg(n ORDER BY n) FROM effect)"
        " FROM pgagent.pga_jobsteplog WHERE jslid = %s",
        [run.jslid],
    ).fetchone()
    assert row
    return row


def execute_run(conninfo: str, run: StepRun) -> StepResult:
    """Execute a step that was handed out."""
    return with_pool(conninfo, lambda pool: SqlStep(run, pool).execute())


@pytest.mark.parametrize(
    "code",
    [
        "INSERT INTO effect VALUES (1), (2)",
        "SELECT 1; INSERT INTO effect VALUES (1), (2)",
        "SAVEPOINT s; SELECT 1; ROLLBACK TO s; INSERT INTO effect VALUES (1), (2)",
        "INSERT INTO effect VALUES (1), (2); RESET ALL",
        "SET client_encoding = 'LATIN1'; INSERT INTO effect VALUES (1), (2)",
        "SET standard_conforming_strings = off; SET search_path = pg_temp; INSERT INTO public.effect VALUES (1), (2)",
        "DO $$ BEGIN RAISE NOTICE 'it''s \\'; END $$; INSERT INTO effect VALUES (1), (2)",
        "INSERT INTO effect VALUES (1), (2); SET ROLE pg_monitor",
        "INSERT INTO effect VALUES (1), (2); SET SESSION AUTHORIZATION pg_monitor; SET ROLE pg_read_all_stats",
        # What is deferred to the end happens with the rights of the role that the step has set
        "CREATE TABLE late (n int); GRANT INSERT ON late, effect TO pg_monitor; CREATE FUNCTION late() RETURNS trigger"
        " LANGUAGE plpgsql AS $$BEGIN INSERT INTO effect VALUES (CASE current_user WHEN 'pg_monitor' THEN 2 END);"
        " RETURN NULL; END$$; CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        " EXECUTE FUNCTION late(); INSERT INTO effect VALUES (1); SET ROLE pg_monitor; INSERT INTO late VALUES (1)",
    ],
)
def test_an_atomic_step_is_booked_with_its_effects(database: str, agent: Db, code: str) -> None:
    run = hand_out(agent, code)
    result = execute_run(database, run)
    assert result.jslstatus == "s", result
    status, _, output, effects = booked(agent, run)
    assert (status, output, effects) == ("s", result.jsloutput, [1, 2])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("INSERT INTO effect VALUES (1); SELECT 1/0", "ERROR:  division by zero"),
        ("INSERT INTO effect VALUES (1); ROLLBACK", "The step ended its transaction"),
        ("INSERT INTO effect VALUES (1); ROLLBACK; BEGIN", "The step ended its transaction"),
        (
            "INSERT INTO effect VALUES (1); ROLLBACK AND CHAIN; INSERT INTO effect VALUES (2)",
            "ended its transaction",
        ),
        ("VACUUM", "ERROR:  VACUUM cannot run inside a transaction block"),
        ("DO $$ BEGIN COMMIT; END $$", "ERROR:  invalid transaction termination"),
        ("INSERT INTO effect VALUES (1); UPDATE pgagent.pga_jobsteplog SET jslstatus = 'd'", "ERROR:  "),
        (
            "CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO effect VALUES (1);"
            " INSERT INTO late VALUES (1), (1)",
            "ERROR:  duplicate key value",
        ),
        (
            "INSERT INTO effect VALUES (1); SELECT pg_terminate_backend(pg_backend_pid())",
            "FATAL:  terminating",
        ),
    ],
)
def test_an_atomic_step_that_fails_has_no_effect_and_no_entry(
    database: str, agent: Db, code: str, words: str
) -> None:
    run = hand_out(agent, code)
    result = execute_run(database, run)
    assert (result.jslstatus, result.jslresult) == ("f", -1)
    assert words in result.jsloutput
    assert booked(agent, run) == ("r", None, None, None)


def test_an_atomic_step_that_commits_by_itself_fails_and_is_told_so(database: str, agent: Db) -> None:
    for code in ("INSERT INTO effect VALUES (1); COMMIT", "COMMIT; BEGIN", "COMMIT AND CHAIN; SELECT 1"):
        run = hand_out(agent, code)
        result = execute_run(database, run)
        assert result.jslstatus == "f"
        assert "What it committed stays." in result.jsloutput
        assert booked(agent, run)[0] == "r"
        agent.execute(
            "SELECT FROM pgagent_py.run_due(0, ARRAY[(%s, %s, 'f', -1, NULL, '')::pgagent_py.step_result])",
            [run.jlgid, run.jslid],
        )


def test_an_atomic_step_whose_run_was_closed_has_no_effect(database: str, agent: Db) -> None:
    run = hand_out(agent, "INSERT INTO effect VALUES (1)")
    agent.execute("UPDATE pgagent.pga_jobsteplog SET jslstatus = 'd' WHERE jslid = %s", [run.jslid])
    result = execute_run(database, run)
    assert result.jslstatus == "f"
    assert booked(agent, run)[3] is None


def test_cancel_of_an_atomic_step(database: str, agent: Db) -> None:
    run = hand_out(agent, f"INSERT INTO effect VALUES (1); {SAY_BACKEND}; SELECT pg_sleep(600)")

    async def scenario(pool: SqlPool) -> StepResult:
        step = SqlStep(run, pool)
        async with running(step) as task:
            await until(lambda: "backend" in step.output_so_far())
            step.cancel("Stopped by the test.")
            return await task

    assert with_pool(database, scenario).jslstatus == "d"
    assert booked(agent, run) == ("r", None, None, None)


def test_an_atomic_step_in_a_database_with_another_encoding(cluster: Cluster) -> None:
    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            with cluster.connect("latin") as latin:
                latin.execute("CREATE EXTENSION pgagent_py CASCADE")
                latin.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'here')")
                latin.execute("CREATE TABLE effect (n int)")
                latin.execute("SET client_encoding = 'UTF8'")
                # A character of three bytes, cut in two by the limit on the output, and one of LATIN1
                code = "INSERT INTO effect VALUES (1); COPY (SELECT repeat('\u00fc', 50) UNION ALL SELECT '\u00e9') TO STDOUT"
                run = hand_out(latin, code)
                result = with_pool(cluster.conninfo("latin"), lambda pool: SqlStep(run, pool, 41).execute())
                assert result.jslstatus == "s", result
                assert booked(latin, run)[0] == "s"
                assert booked(latin, run)[3] == [1]
        finally:
            admin.execute("DROP DATABASE latin WITH (FORCE)")


@forms(60, 1500)
def test_backends_killed_at_random_leave_effect_and_entry_or_neither(
    database: str, agent: Db, size: int
) -> None:
    """So late that half of them have just committed, however long that takes here."""
    outcomes: Counter[str] = Counter()
    pause = 0.003
    for attempt in range(size):
        run = hand_out(agent, f"INSERT INTO effect VALUES ({1000 + attempt}) -- {attempt}")

        async def scenario(
            pool: SqlPool, run: StepRun = run, pause: float = random.uniform(0.5, 1.5) * pause
        ) -> StepResult:
            await SqlStep(step_run("SELECT 1"), pool).execute()
            async with running(SqlStep(run, pool)) as task:
                await asyncio.sleep(pause)
                query = (
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'pgagent-py' AND datname = current_database()"
                )
                await asyncio.to_thread(agent.execute, query)
                return await task

        result = with_pool(database, scenario)
        status, _, _, effects = booked(agent, run)
        assert (1000 + attempt in (effects or [])) == (status == "s"), (attempt, result)
        if result.jslstatus == "s":
            assert status == "s"
        outcomes[status] += 1
        pause *= 0.8 if status == "s" else 1.25
        if status == "r":
            agent.execute(
                "SELECT FROM pgagent_py.run_due(0, ARRAY[(%s, %s, 'f', -1, NULL, '')::pgagent_py.step_result])",
                [run.jlgid, run.jslid],
            )
    print("outcomes:", outcomes)
    assert outcomes.keys() == {"r", "s"}
