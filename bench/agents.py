"""What is compared with what: launchers of ours, the C++ daemon, the bare loop, bare processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from tests.helpers import Launcher, wait_for

from .servers import Server, count

WORKERS = 32
DAEMON = Path("/usr/bin/pgagent")


@contextmanager
def launchers(server: Server, database: str, number: int = 1) -> Iterator[list[int]]:
    """Run launchers that are ready to serve; yield their process ids."""
    with ExitStack() as stack, server.connect(database) as db:
        started = []
        for index in range(number):
            arguments = ("-l", "1", "--workers", str(WORKERS), server.conninfo(database))
            launcher = Launcher(server.directory(f"launcher{index}"), arguments, {})
            stack.callback(launcher.clean_up)
            started.append(launcher)
        wait_for(lambda: count(db, "SELECT count(*) FROM pgagent_py.agent") == number, 20, "launchers")
        yield [launcher.pid for launcher in started]
        for launcher in started:
            launcher.terminate(20)


@contextmanager
def daemon(server: Server, database: str) -> Iterator[list[int]]:
    """Run pgAgent's own daemon, as fast as its options make it; yield its process id."""
    settings = psycopg.conninfo.conninfo_to_dict(server.conninfo(database))
    words = [f"{name}={value}" for name, value in settings.items()]
    with (server.directory("daemon") / "log").open("w") as log:
        command = [str(DAEMON), "-f", "-t", "1", " ".join(words)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            with server.connect(database) as db:
                wait_for(lambda: count(db, "SELECT count(*) FROM pgagent.pga_jobagent"), 20, "the daemon")
            yield [process.pid]
        finally:
            process.kill()
            process.wait()


# What a step needs besides its code: its ids in the session before, and a fresh session after.
FRESH = (
    "SET pgagent_py.job_id = '1'; SET pgagent_py.run_id = '1'; SET pgagent_py.step_id = '1'",
    "DISCARD ALL",
)


def bare_loops(conninfo: str, statements: list[str], number: int = 1, fresh: bool = False) -> None:
    """Share the statements among *number* bare loops. Each is a process with connections of its own; they begin together.

    *fresh*: each statement stands between two more, as in a session for a step.
    """
    opened = multiprocessing.Barrier(number)
    loops = [
        multiprocessing.Process(
            target=bare_loop, args=(conninfo, statements[index::number], fresh, opened.wait)
        )
        for index in range(number)
    ]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()


def bare_loop(conninfo: str, statements: list[str], fresh: bool, opened: Callable[[], object]) -> None:
    """Execute the statements, each once, on the connections of one process, with nothing around them."""

    async def work(connection: psycopg.AsyncConnection[object], todo: Iterator[str]) -> None:
        for statement in todo:
            for text in (FRESH[0], statement, FRESH[1]) if fresh else (statement,):
                await connection.execute(text.encode())

    async def loop() -> None:
        connections = [
            await psycopg.AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=None)
            for _ in range(WORKERS)
        ]
        opened()
        todo = iter(statements)
        await asyncio.gather(*(work(connection, todo) for connection in connections))
        for connection in connections:
            await connection.close()

    asyncio.run(loop())


def bare_spawns(script: Path, number: int, at_once: int = WORKERS) -> None:
    """Run *script* by /bin/sh *number* times, with nothing around it: this is the kernel's share."""
    running: set[int] = set()
    for _ in range(number):
        if len(running) >= at_once:
            running.discard(os.wait()[0])
        running.add(os.posix_spawn("/bin/sh", ["/bin/sh", str(script)], dict(os.environ)))
    while running:
        running.discard(os.wait()[0])
