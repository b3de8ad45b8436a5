"""How much an SQL step may send."""

import asyncio
from collections.abc import Callable

import psutil
import pytest

from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult
from launcher.step_connection import StepConnection
from tests.helpers.sql_steps import step_run, with_pool


class Watch:
    """The growth of this process in bytes, and how many times it went to read what the server has sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._process = psutil.Process()
        self.growth = self.reads = 0
        read = StepConnection._readable

        def count(connection: StepConnection) -> None:
            self.reads += 1
            read(connection)

        monkeypatch.setattr(StepConnection, "_readable", count)

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
        ("SELECT repeat('x', 20000000) FROM generate_series(1, 14)", 14, "SELECT 14\n", 266),
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
