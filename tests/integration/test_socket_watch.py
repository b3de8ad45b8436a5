"""launcher/socket_watch.py: whatever gets the number of a socket that libpq has closed is watched as if it were new."""

import asyncio
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from launcher.control import Control
from launcher.output import Output
from launcher.processes import Processes
from launcher.shortages import Reserve
from launcher.sql_connection import SqlConnection
from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from tests.helpers import PATIENCE, forms
from tests.helpers.batch_steps import local_step
from tests.helpers.sql_steps import step_run

Db = psycopg.Connection[Any]

TERMINATE = "SELECT pg_terminate_backend(%s)"


class Heir:
    """A pipe that gets the number of a closed socket, and whose reading end the event loop is to watch."""

    def __init__(self, number: int) -> None:
        assert not Path(f"/proc/self/fd/{number}").exists(), "libpq has not closed the socket"
        self.reading, self._writing = os.pipe()
        if self._writing == number:
            self._writing = os.dup(number)
        if self.reading != number:
            os.dup2(self.reading, number)
            os.close(self.reading)
            self.reading = number
        self._heard = asyncio.Event()
        asyncio.get_running_loop().add_reader(number, self._heard.set)

    async def is_watched(self) -> bool:
        """Return whether the event loop notices what comes through the pipe; forget the pipe."""
        os.write(self._writing, b"x")
        try:
            async with asyncio.timeout(PATIENCE):
                await self._heard.wait()
        except TimeoutError:
            return False
        finally:
            asyncio.get_running_loop().remove_reader(self.reading)
            os.close(self.reading)
            os.close(self._writing)
        return True


LONG_QUERY = f"SELECT pg_sleep(60) /* {'x' * 30_000_000} */"  # more than a socket holds
LONG_COPY = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000000)) TO STDOUT"


@pytest.mark.parametrize(
    "code", ["SELECT pg_sleep(60)", LONG_QUERY, LONG_COPY, None], ids=["short", "long", "copy", "idle"]
)
@pytest.mark.parametrize("tick", ["the same tick", "another tick"])
def test_step_connection_is_lost(database: str, db: Db, code: str | None, tick: str) -> None:
    async def scenario() -> None:
        conn = await psycopg.AsyncConnection.connect(database, autocommit=True)
        number, pid = conn.fileno(), conn.info.backend_pid
        lost: asyncio.Future[Heir | None] = asyncio.get_running_loop().create_future()

        def on_lost(_: SqlConnection) -> None:
            lost.set_result(Heir(number) if tick == "the same tick" else None)

        connection = SqlConnection(conn, None, on_lost)
        if code is not None:
            connection.query(code.encode(), Output(), on_lost)
            await asyncio.sleep(0.1)
        db.execute(TERMINATE, [pid])
        async with asyncio.timeout(PATIENCE):
            heir = await lost or Heir(number)
        connection.close()
        assert await heir.is_watched()

    asyncio.run(scenario())


@pytest.mark.parametrize("query", ["SELECT pg_sleep(60)", None])
def test_control_connection_is_lost(database: str, db: Db, query: str | None) -> None:
    async def scenario() -> None:
        lost = asyncio.Event()
        connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
        control = Control(connection, database, Reserve(0), lost.set)
        await control.start_agent(uuid4(), "here", False, 1)
        number = control._watch.fd
        ((pid,),) = await control.fetch("SELECT pg_backend_pid()")
        if query is None:
            db.execute(TERMINATE, [pid])
            async with asyncio.timeout(PATIENCE):
                await lost.wait()
        else:
            asyncio.get_running_loop().call_later(0.1, db.execute, TERMINATE, [pid])
            with pytest.raises(psycopg.OperationalError):
                await control.fetch(query)
        heir = Heir(number)
        control.cut()
        await control.close()
        assert await heir.is_watched()

    asyncio.run(scenario())


@forms(short=30, long=200)
def test_batch_steps_start_while_backends_are_terminated(database: str, db: Db, size: int) -> None:
    """Their pipes and processes get the numbers of the sockets that are lost at that moment."""
    terminate = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
        " AND datname = current_database() ORDER BY random() LIMIT 4"
    )

    async def scenario() -> None:
        pool, processes = SqlPool(database, 16), Processes()
        await local_step(step_run("true", jstkind="b"), processes).execute()
        sleeping = [
            asyncio.create_task(SqlStep(step_run("SELECT pg_sleep(60)"), pool).execute())
            for _ in range(4 * size)
        ]
        while not all(task.done() for task in sleeping):
            scripts = [local_step(step_run("true", jstkind="b"), processes).execute() for _ in range(8)]
            terminated = asyncio.to_thread(db.execute, terminate)
            async with asyncio.timeout(PATIENCE):
                results, _ = await asyncio.gather(asyncio.gather(*scripts), terminated)
            assert all(result.jslstatus == "s" for result in results)
        await pool.close()
        await processes.close()

    asyncio.run(scenario())
