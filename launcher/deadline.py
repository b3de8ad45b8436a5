"""The deadline of calls on the control connection: who waits longer looks from a second connection whether that is right.

A COMMIT that waits for a synchronous standby may take any time, and so may a server that is overloaded. But no answer
comes any more from a server that is frozen or cut off while another one has become the primary. So the launcher gives
its connection up only when it has found a primary that will not answer the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import psycopg

from .log import Event
from .primary import Connection, PrimarySearch
from .shortages import Reserve

logger = logging.getLogger("pgagent_py")

DEADLINE_SECONDS = 10.0
LOOK_SECONDS = 5.0  # for an answer to the second connection, before that is said
PAUSE_SECONDS = 1.0  # between looks, while there is no primary

# The second query is for the second connection. A backend that has just become idle has sent its answer.
THIS_BACKEND = """
SELECT extract(epoch FROM pg_postmaster_start_time())::text, s.pid, extract(epoch FROM s.backend_start)::text
  FROM pg_stat_activity s WHERE s.pid = pg_backend_pid()"""
WHAT_IT_DOES = """
SELECT extract(epoch FROM pg_postmaster_start_time())::text = %s,
       s.pid IS NULL OR s.state LIKE 'idle%%' AND s.state_change < clock_timestamp() - interval '2 s',
       coalesce(', waiting for ' || s.wait_event_type || ' ' || s.wait_event, '')
  FROM (SELECT) one LEFT JOIN pg_stat_activity s
    -- a role that was set for the one that logs in does not see when its own backend was started
    ON s.pid = %s AND extract(epoch FROM s.backend_start)::text = coalesce(%s, extract(epoch FROM s.backend_start)::text)"""


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend of a server; times as text, in seconds since 1970. *server* is when the server was started: no two share it."""

    server: str
    pid: int
    start: str | None


class Deadline:
    """Watches the calls on one connection; each is made inside ``with deadline:``."""

    def __init__(self, conninfo: str, reserve: Reserve, cut: Callable[[], None]) -> None:
        """Look for the primary of *conninfo* with descriptors of *reserve*; *cut* makes a call end with an error."""
        self._reserve = reserve
        self._search = PrimarySearch(conninfo, lambda: None)
        self._cut = cut
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._told = False
        self._pause = PAUSE_SECONDS
        self.backend: Backend | None = None  # that makes the calls, as soon as it is known

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(DEADLINE_SECONDS, self._begin)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._timer is not None
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._search.stop()

    def _begin(self) -> None:
        self._told = False
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        """Look again and again, until the call ends or will never end."""
        while (reason := await self._look()) is None:
            await asyncio.sleep(self._pause)
        logger.error(Event("wait", f"giving the connection up: {reason}"))
        self._cut()

    async def _look(self) -> str | None:
        """Return why the call will never end, if that is so."""
        try:
            with self._reserve.released():
                async with asyncio.timeout(2 * LOOK_SECONDS):
                    connection = (await self._search.look(LOOK_SECONDS)).connection
                    try:
                        is_same, is_idle, event = await self._ask(connection)
                    finally:
                        connection.pgconn.finish()
        except (psycopg.Error, TimeoutError) as error:
            self._pause = PAUSE_SECONDS
            self._tell(f"and none to a second connection: {str(error).strip()}")
            return None
        if self.backend is None:
            return "a second connection is answered"
        if not is_same:
            return "the primary is another server"
        if is_idle:
            return "the server is not working on it"
        self._pause = DEADLINE_SECONDS
        self._tell(f"the server is working on it{event}")
        return None

    async def _ask(self, connection: Connection) -> tuple[bool, bool, str]:
        backend = self.backend or Backend("", 0, "")
        await connection.execute("SET search_path = pg_catalog, pg_temp; SET ROLE NONE")
        cursor = await connection.execute(WHAT_IT_DOES, [backend.server, backend.pid, backend.start])
        ((is_same, is_idle, event),) = await cursor.fetchall()
        return is_same, is_idle, event

    def _tell(self, words: str) -> None:
        """Say once why a call takes so long."""
        if not self._told:
            self._told = True
            logger.error(Event("wait", f"no answer for {DEADLINE_SECONDS:g} s: {words}"))
