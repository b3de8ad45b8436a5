"""The three that are compared: launchers of ours, the C++ daemon, pg_cron; and the bare loop."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
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


def bare_loop(conninfo: str, statements: list[str], connections: int = WORKERS) -> None:
    """Execute the statements, each once, on so many connections of one process, with nothing around them."""

    async def work(connection: psycopg.AsyncConnection[object], todo: Iterator[str]) -> None:
        for statement in todo:
            await connection.execute(statement.encode())

    async def loop() -> None:
        opened = [
            await psycopg.AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=None)
            for _ in range(connections)
        ]
        todo = iter(statements)
        await asyncio.gather(*(work(connection, todo) for connection in opened))
        for connection in opened:
            await connection.close()

    asyncio.run(loop())


def bare_spawns(script: Path, number: int, at_once: int = WORKERS) -> None:
    """Run *script* by /bin/sh so many times, with nothing around it: what the kernel needs for that alone."""
    running: set[int] = set()
    for _ in range(number):
        if len(running) >= at_once:
            running.discard(os.wait()[0])
        running.add(os.posix_spawn("/bin/sh", ["/bin/sh", str(script)], dict(os.environ)))
    while running:
        running.discard(os.wait()[0])
