"""The databases that SQL steps run in, with warm connections to each."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections import deque
from typing import TypeAlias

import psycopg
from psycopg import conninfo, pq

from .output import Output
from .sql_connection import SqlConnection
from .step import StepRun

logger = logging.getLogger("pgagent_py.sql_pool")

IMPATIENCE = 0.05  # seconds to wait for a connection that is being reset before another one is opened
# Short steps share few connections: a backend that has just worked does so for less, its memory being in the processor's caches.
# Before they use others, they wait so many seconds for one of these to come back.
FEW, FEW_SECONDS = 4, 0.005
RETRY_FIRST, RETRY_LONGEST = 0.1, 2.0  # seconds between attempts to connect to a server that has no room now
KNOWN_TARGETS = 1000  # connection strings remembered at most, unless in use

# The server has no room, or is between two lives: it is worth waiting for, whichever server it is.
_SERVER_BUSY = re.compile(
    r"too many clients already|remaining connection slots are reserved|too many connections for "
    r"|the database system is |terminating connection due to administrator|no more connections allowed"
)
# The server is away. The launcher's own must come back before any step can be booked, so it is waited for;
# another server that is not there is the step's failure.
_SERVER_AWAY = re.compile(
    r"Connection refused|No such file or directory|timeout expired|timed out|unreachable|No route to host"
    r"|closed the connection|Connection reset|could not receive data|could not send|failed to resolve"
    r"|session is (?:not )?read-only|server is (?:not )?in hot standby mode"
)
# Nothing that waiting could change: spares a look at the server.
_REFUSED = re.compile(
    r"does not exist|authentication failed|no pg_hba.conf entry|no password supplied|permission denied"
    r"|is not permitted to log in|is not currently accepting connections"
)
# Lets the server notice at once that a connection was dropped, since its step takes no cancel request or the launcher was killed,
# and within half a minute that the network was cut; and end what it had running, before another launcher closes the run.
_CHECK_CLIENT = (
    "-c client_connection_check_interval=200"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)
_LIBPQ_OPTIONS = frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())
# Those that libpq itself would not show, and keys that are as good as a password.
SECRET_OPTIONS = frozenset({"scram_client_key", "scram_server_key"}) | {
    option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.dispchar == b"*"
}
# So that a dead network is noticed within a minute, also by a step that only waits for its result.
_DEFAULTS = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60000,
}


Params: TypeAlias = dict[str, str | int | None]


class TargetError(Exception):
    """A step can't get a connection; the text has libpq's or the server's words, and no secret."""


class Stopped(Exception):  # noqa: N818 - it is no error
    """A step was cancelled while it waited for a connection."""


class Target:
    """The connections that share one connection string."""

    __slots__ = (
        "connecting",
        "conninfo",
        "idle",
        "local",
        "plain_conninfo",
        "recent",
        "resetting",
        "spreading",
        "waiters",
    )

    def __init__(self, params: Params, local: bool) -> None:
        """Start without connections; *local* means the launcher's own server."""
        self.plain_conninfo = _complete(params)
        self.conninfo = _complete(_with_client_check(params))
        self.local = local
        self.idle: list[SqlConnection] = []  # last in, first out, so that what is not needed goes cold
        self.waiters: deque[Waiter] = deque()
        self.connecting = 0
        self.resetting = 0
        self.recent: set[SqlConnection] = set()  # not come back yet, nor out for FEW_SECONDS
        self.spreading = False

    @property
    def in_use(self) -> bool:
        """Whether forgetting the target would lose something."""
        return bool(self.idle or self.waiters or self.connecting or self.resetting)


class Waiter:
    """A step that waits for a connection; what it waits for is written to its output."""

    __slots__ = ("future", "output", "told")

    def __init__(self, future: asyncio.Future[SqlConnection], output: Output) -> None:
        """Wait by *future*."""
        self.future = future
        self.output = output
        self.told = False

    def tell(self, reason: str) -> None:
        """Say once in the output why the step waits."""
        if not self.told:
            self.told = True
            self.output.line(f"Waiting for a connection: {reason}".encode())


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
        self._control = conninfo.conninfo_to_dict(control_conninfo)
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
        target = _target_of(connection)
        target.resetting += 1
        if connection.at_rest:
            connection.query(b"DISCARD ALL", None, self._reset_ended, internal=True)
        else:
            connection.query(b"ROLLBACK", None, self._rollback_ended, internal=True)

    def close_idle(self) -> None:
        """Use no connection again that is open now: it may lead to a server that has been replaced."""
        for connection in list(self._open):
            connection.expired = True
            if connection in _target_of(connection).idle:
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
                    if _CHECK_CLIENT.split()[1].partition("=")[0] in reason or "startup parameter" in reason:
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
        if _SERVER_BUSY.search(reason) or (target.local and _SERVER_AWAY.search(reason)):
            return True
        if not _REFUSED.search(reason) and not _SERVER_AWAY.search(reason):
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
        target = _target_of(connection)
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
        target = _target_of(connection)
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
        target = _target_of(connection)
        if connection in target.idle:
            target.idle.remove(connection)
        self._drop(connection)

    def _drop(self, connection: SqlConnection) -> None:
        self._open.discard(connection)
        _target_of(connection).recent.discard(connection)
        connection.close()


def parse_conninfo(text: str) -> Params:
    """Split a libpq connection string or URI. Raise `TargetError`, without what may be part of a password."""
    if uri := re.match(r"postgres(?:ql)?://([^/?]*)(.*)", text, re.DOTALL):
        # libpq would take a part of the password for the host or the database, and say so.
        if uri[1].count("@") > 1:
            raise TargetError("the connection URI has more than one @; in a user name or password write %40")
        if "@" not in uri[1] and "@" in uri[2].partition("?")[0]:
            raise TargetError("the connection URI has a / before its @; in a user name or password write %2F")
    try:
        params = conninfo.conninfo_to_dict(text)
    except psycopg.Error as error:
        raise TargetError(f"the connection string can't be read: {_mask(str(error))}") from None
    return dict(params)


def _mask(message: str) -> str:
    """Hide what a message quotes from a connection string, unless it is the name of an option."""

    def shown(match: re.Match[str]) -> str:
        return match[0] if match[1] in _LIBPQ_OPTIONS or match[1] == "=" else '"..."'

    return re.sub(r'"(.*?)"', shown, message, flags=re.DOTALL).strip()


def _reason(error: Exception) -> str:
    """Return libpq's or the server's words, without psycopg's."""
    words = re.sub(r"^connection (?:failed|is bad): ", "", str(error)).strip() or type(error).__name__
    # A URI without @ has its password where the port belongs.
    return _mask(words) if words.startswith("invalid ") else words


def _with_client_check(params: Params) -> Params:
    if params.get("service") or "PGSERVICE" in os.environ:
        return params  # options of ours would hide those of the service
    options = params.get("options") or os.environ.get("PGOPTIONS", "")
    return params | {"options": f"{options} {_CHECK_CLIENT}".strip()}


def _complete(params: Params) -> str:
    """Return a connection string with our defaults for what *params* leave open."""
    defaults: dict[str, str | int] = dict(_DEFAULTS)
    if "PGCONNECT_TIMEOUT" not in os.environ:
        defaults["connect_timeout"] = 10
    fixed = {"fallback_application_name": "pgagent-py", "client_encoding": "UTF8"}
    return conninfo.make_conninfo("", **{**defaults, **params, **fixed})


def _target_of(connection: SqlConnection) -> Target:
    target = connection.owner
    assert isinstance(target, Target)
    return target
