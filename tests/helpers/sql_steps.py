"""Executing SQL steps on a launcher's pool of connections, in the test's own process."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import psycopg

from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult, StepRun
from tests.helpers import PATIENCE, Db
from tests.helpers.steps import row_of_step_run, until

T = TypeVar("T")
SAY_BACKEND = "DO $$ BEGIN RAISE NOTICE 'backend %', pg_backend_pid(); END $$"


def step_run(code: str, **columns: Any) -> StepRun:
    """Return a row of step_run for an SQL step, by default in the launcher's own database."""
    return row_of_step_run("s", code, **columns)


def with_pool(
    conninfo: str, scenario: Callable[[SqlPool], Awaitable[T]], workers: int = 4, **seconds: Any
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


def backends(db: Db) -> int:
    """Return the number of connections of our pools on this database, and of steps elsewhere."""
    row = db.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgagent-py'"
        " AND datname ~ current_database()"
    ).fetchone()
    assert row
    return int(row[0])


ASLEEP = """
    SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE %s AND wait_event = 'PgSleep'"""
