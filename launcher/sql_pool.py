"""The databases that SQL steps run in, with warm connections to each."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from .conninfo import CHECK_CLIENT, TargetError, mask, parse_conninfo
from .output import Output
from .refusals import REFUSED, SERVER_AWAY, SERVER_BUSY
from .sql_connection import SqlConnection
from .sql_target import Target, Waiter, target_of
from .step import StepRun

logger = logging.getLogger("pgagent_py.sql_pool")

IMPATIENCE = 0.05  # seconds to wait for a connection that is being reset before another one is opened
# Short steps share few connections: a backend that has just worked does so for less, its memory being in the processor's caches.
# Before they use others, they wait so many seconds for one of these to come back.
FEW, FEW_SECONDS = 4, 0.005
RETRY_FIRST, RETRY_LONGEST = 0.1, 2.0  # seconds between attempts to connect to a server that has no room now
KNOWN_TARGETS = 1000  # connection strings remembered at most, unless in use


class SqlPool:
    """Warm connections for SQL steps, by target: at most one per worker, and idle ones not for long.

    A target is a database of the launcher's own server, the same as another role, or a connection string.
    """

    def __init__(
        self, control_conninfo: str, workers: int, *, idle_seconds: float = 60.0, use_seconds: float = 60.0
    ) -> None:
        """Prepare to serve *workers* steps at a time; nothing is connected yet.

        Local steps connect with *control_conninfo*, only the database and role being theirs. Connections idle
        for *idle_seconds* are closed; no step begins on one that is open for *use_seconds*: a role may not be allowed to log in
        any more, or have got another's name.
        """
        self._control = conninfo_to_dict(control_conninfo)
        self._workers = workers
        self._idle_seconds = idle_seconds
        self._use_seconds = use_seconds
        self._targets: dict[tuple[str, str, str | None], Target] = {}
        self._open: set[SqlConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._expiry: asyncio.TimerHandle | None = None
        self._closed = False

    def target(self, run: StepRun) -> Target:
        """Return the target of a step. Raise `TargetError` if its connection string can't be read."""
        key = (run.jstdbname, run.jstconnstr, run.jobrunas)
        target = self._targets.get(key)
        if target is None:
            if len(self._targets) >= KNOWN_TARGETS:
                self._targets = {k: t for k, t in self._targets.items() if t.in_use}
            target = self._targets[key] = self._new_target(run)
        return target

    def take(self, target: Target) -> SqlConnection | None:
        """Return a warm connection of *target*, or None if there is none now or one will soon come back."""
        if len(target.recent) >= FEW:
            return None
        connection = self._take_idle(target)
        if connection is not None:
            self._note_recent(target, connection)
        return connection

    def wait(self, target: Target, output: Output) -> asyncio.Future[SqlConnection]:
        """Return a future for a connection of *target*; `TargetError` is set on it if there can't be one.

        A server that has no room is waited for, however long; *output* then says so. Whoever stops waiting
        calls `leave`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[SqlConnection] = loop.create_future()
        target.waiters.append(Waiter(future, output))
        if len(target.recent) >= FEW:
            return future  # _spread looks after it
        if target.connecting + target.resetting < len(target.waiters):
            self._connect(target)
        else:
            loop.call_later(IMPATIENCE, self._connect_missing, target)
        return future

    def leave(self, target: Target, future: asyncio.Future[SqlConnection]) -> None:
        """Take back `wait`; a connection that has arrived goes to the next."""
        target.waiters = deque(waiter for waiter in target.waiters if waiter.future is not future)
        if future.done() and not future.cancelled() and future.exception() is None:
            self._ready(future.result())

    def give_back(self, connection: SqlConnection) -> None:
        """Take a connection back from a step and make it fresh for another, in the background."""
        if connection.spoiled or connection.expired or self._closed or self._is_old(connection):
            self._drop(connection)
            return
        target = target_of(connection)
        target.resetting += 1
        if connection.at_rest:
            connection.query(b"DISCARD ALL", None, self._reset_ended, internal=True)
        else:
            connection.query(b"ROLLBACK", None, self._rollback_ended, internal=True)

    def close_idle(self) -> None:
        """Use no connection again that is open now: it may lead to a server that has been replaced."""
        for connection in list(self._open):
            connection.expired = True
            if connection in target_of(connection).idle:
                self._lost(connection)

    async def close(self) -> None:
        """Close all connections; steps that still run on them end with an error."""
        self._closed = True
        if self._expiry is not None:
            self._expiry.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for target in self._targets.values():
            while target.waiters:
                self._refuse(target, "the launcher is stopping")
        for connection in list(self._open):
            self._drop(connection)

    def _new_target(self, run: StepRun) -> Target:
        if run.jstconnstr:
            if run.jobrunas:
                raise TargetError("a step of a job with a role of its own can't have a connection string")
            return Target(parse_conninfo(run.jstconnstr), local=False)
        params = dict(self._control)
        if run.jstdbname:
            params["dbname"] = run.jstdbname
        if run.jobrunas:
            # An empty password keeps libpq from PGPASSWORD, which is the launcher's too.
            params |= {"user": run.jobrunas, "password": ""}
        return Target(params, local=True)

    def _take_idle(self, target: Target) -> SqlConnection | None:
        while target.idle:
            connection = target.idle.pop()
            if connection.is_usable() and not self._is_old(connection):
                return connection
            self._drop(connection)
        return None

    def _note_recent(self, target: Target, connection: SqlConnection) -> None:
        target.recent.add(connection)
        if len(target.recent) >= FEW and not target.spreading:
            target.spreading = True
            asyncio.get_running_loop().call_later(FEW_SECONDS, self._spread, target)

    def _spread(self, target: Target) -> None:
        """Give the steps that have waited connections of their own."""
        target.spreading = False
        target.recent.clear()
        while target.waiters and (connection := self._take_idle(target)):
            self._ready(connection)
        for _ in range(len(target.waiters) - target.connecting - target.resetting):
            self._connect(target)
        if target.waiters:
            asyncio.get_running_loop().call_later(IMPATIENCE, self._connect_missing, target)

    def _connect(self, target: Target) -> None:
        if self._closed:
            return
        target.connecting += 1
        task = asyncio.get_running_loop().create_task(self._open_for(target))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _connect_missing(self, target: Target) -> None:
        for _ in range(len(target.waiters) - target.connecting):
            self._connect(target)

    async def _open_for(self, target: Target) -> None:
        """Open one connection and hand it over, trying as long as a step waits and there may be room."""
        pause = RETRY_FIRST
        try:
            while target.waiters:
                self._make_room()
                try:
                    conn = await psycopg.AsyncConnection.connect(target.conninfo, autocommit=True)
                except Exception as error:  # also what a strange host name makes Python's resolver raise
                    reason = _reason(error)
                    if CHECK_CLIENT.split()[1].partition("=")[0] in reason or "startup parameter" in reason:
                        target.conninfo = target.plain_conninfo  # an older server, or a proxy
                        continue
                    if not await self._may_come(target, reason):
                        self._refuse(target, reason)
                        return
                    for waiter in target.waiters:
                        waiter.tell(reason)
                    self._free_slots(target.local)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, RETRY_LONGEST)
                else:
                    connection = SqlConnection(conn, target, self._lost)
                    self._open.add(connection)
                    self._ready(connection)
                    return
        finally:
            target.connecting -= 1

    async def _may_come(self, target: Target, reason: str) -> bool:
        """Whether it is worth trying again after a failure to connect."""
        if SERVER_BUSY.search(reason) or (target.local and SERVER_AWAY.search(reason)):
            return True
        if not REFUSED.search(reason) and not SERVER_AWAY.search(reason):
            # A server that is starting up or shutting down may say so in its own language.
            ping = await asyncio.to_thread(pq.PGconn.ping, target.conninfo.encode())
            return ping == pq.Ping.REJECT
        return False

    def _refuse(self, target: Target, reason: str) -> None:
        while target.waiters:
            waiter = target.waiters.popleft()
            if not waiter.future.done():
                waiter.future.set_exception(TargetError(reason))
                return

    def _free_slots(self, local: bool) -> None:
        """Close idle connections: they may be the very room that a server, local or not, does not have."""
        for target in self._targets.values():
            if target.local == local:
                for connection in list(target.idle):
                    self._lost(connection)

    def _make_room(self) -> None:
        """Close the longest idle connection if there are as many connections as workers."""
        if len(self._open) >= self._workers:
            idle = [target.idle[0] for target in self._targets.values() if target.idle]
            if idle:
                self._lost(min(idle, key=lambda connection: connection.idle_since))

    def _ready(self, connection: SqlConnection) -> None:
        """Hand a fresh connection to the first step that waits, or keep it warm."""
        target = target_of(connection)
        while target.waiters:
            waiter = target.waiters.popleft()
            if not waiter.future.done():
                self._note_recent(target, connection)
                waiter.future.set_result(connection)
                return
        target.recent.discard(connection)
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        target.idle.append(connection)
        if self._expiry is None:
            self._expiry = loop.call_later(self._idle_seconds, self._close_cold)

    def _rollback_ended(self, connection: SqlConnection) -> None:
        if connection.error or not connection.at_rest:
            self._reset_ended(connection)
        else:
            connection.query(b"DISCARD ALL", None, self._reset_ended, internal=True)

    def _reset_ended(self, connection: SqlConnection) -> None:
        target = target_of(connection)
        target.resetting -= 1
        if connection.error or connection.expired or not connection.at_rest or not connection.is_usable():
            self._drop(connection)
            if target.connecting + target.resetting < len(target.waiters):
                self._connect(target)
        else:
            self._ready(connection)

    def _close_cold(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._expiry = None
        oldest = now
        for target in self._targets.values():
            while target.idle and target.idle[0].idle_since <= now - self._idle_seconds:
                self._drop(target.idle.pop(0))
            if target.idle:
                oldest = min(oldest, target.idle[0].idle_since)
        if oldest < now:
            self._expiry = loop.call_at(oldest + self._idle_seconds, self._close_cold)

    def _is_old(self, connection: SqlConnection) -> bool:
        return asyncio.get_running_loop().time() > connection.opened + self._use_seconds

    def _lost(self, connection: SqlConnection) -> None:
        target = target_of(connection)
        if connection in target.idle:
            target.idle.remove(connection)
        self._drop(connection)

    def _drop(self, connection: SqlConnection) -> None:
        self._open.discard(connection)
        target_of(connection).recent.discard(connection)
        connection.close()


def _reason(error: Exception) -> str:
    """Return libpq's or the server's words, without psycopg's."""
    words = re.sub(r"^connection (?:failed|is bad): ", "", str(error)).strip() or type(error).__name__
    # A URI without @ has its password where the port belongs.
    return mask(words) if words.startswith("invalid ") else words
