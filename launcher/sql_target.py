"""Targets: the places that SQL steps connect to, each with its warm connections and the steps that wait for one."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from .conninfo import PLACE, Params, hide_mistyped, is_resolved, resolve, split_hosts, step_conninfo
from .freshness import VERSIONS, Freshness
from .output import Output
from .pooler import asker, is_shared
from .refusals import FULL, HOPELESS, UNKNOWN, may_pass, ping, refuses_options
from .sql_connection import WITH_OWN_PATH
from .step_connection import StepConnection
from .threads import in_thread

# The id of the role that has logged in, whatever settings of its own it has.
LOGGED_IN = """
SELECT s.usesysid::pg_catalog.int8 FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) s"""
# What names the server, the backend's process id, the database's id, the versions of what is in it, and whether the connection is
# encrypted: a role that the session has taken on may not be told
GREETING = f"""{WITH_OWN_PATH}
SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time())::text, pg_backend_pid(), d.oid, ({VERSIONS}),
                 coalesce(s.ssl OR s.gss_enc, true))
  FROM pg_database d, pg_stat_get_activity(pg_backend_pid()) s WHERE d.datname = current_database()"""
CHECKED_SECONDS = 60.0  # for which it counts as known what a pooler does


# Names of database and role, None for the launcher's own -> FULL, HOPELESS or neither
AskServer: TypeAlias = "Callable[[object, object], Awaitable[str]]"
MOST_DOUBTS = 3


async def nobody_to_ask(*_: object) -> str:
    """Return that the reason is not known."""
    return UNKNOWN


class TargetError(Exception):
    """A step can't get a connection; the text has libpq's or the server's words, and no secret."""


class NotNowError(Exception):
    """The same, but waiting may help."""


class Stopped(Exception):  # noqa: N818 - it is no error
    """A step was cancelled while it waited for a connection."""


class WaitingStep:
    """A step that waits for a connection; its output says what for."""

    __slots__ = ("_output", "_told", "future")

    def __init__(self, future: asyncio.Future[StepConnection], output: Output) -> None:
        """Wait by *future*."""
        self.future = future
        self._output = output
        self._told = False

    def tell(self, reason: str) -> None:
        """Say once in the output why the step waits."""
        if not self._told:
            self._told = True
            self._output.line(f"Waiting for a connection: {reason}".encode())


class Target:
    """What the connections of one connection string share."""

    __slots__ = (
        "_ask",
        "_checked_at",
        "_checking",
        "_conninfo",
        "_doubts",
        "_encoding",
        "_params",
        "_plain_conninfo",
        "_shared",
        "connecting",
        "freshness",
        "idle",
        "just_out",
        "local",
        "refusal",
        "resetting",
        "role",
        "spread_planned",
        "waiting",
    )

    def __init__(
        self, params: Params, local: bool, role: int | None = None, ask: AskServer | None = None
    ) -> None:
        """Start without connections; *local* means the launcher's own server, *role* is the id of the role that logs in.

        *ask* finds out why this server refuses a connection.
        """
        self._params: Params = {}
        self._conninfo = self._plain_conninfo = ""
        self._checking = asyncio.Lock()
        self._checked_at = -CHECKED_SECONDS
        self._shared = False
        self._encoding = "UTF8"
        self._doubts = 0  # attempts in a row that failed for no reason to be found
        self._ask = ask
        self.local = local
        self.role = role
        self.move(params)
        self.idle: list[StepConnection] = []  # last in, first out: those that are not needed grow cold
        self.waiting: deque[WaitingStep] = deque()
        self.freshness = Freshness()
        self.refusal = ""  # why the last attempt was refused, if waiting may help
        self.connecting = 0  # attempts to open a connection
        self.resetting = 0  # connections on their way back from a step
        self.just_out: set[StepConnection] = set()  # given to a step less than SHARE_SECONDS ago
        self.spread_planned = False

    def move(self, place: Params) -> None:
        """Connect to another host from now on."""
        self._params |= place
        encoding = self._encoding
        self._conninfo = step_conninfo(self._params, check_client=True, encoding=encoding)
        self._plain_conninfo = step_conninfo(self._params, check_client=False, encoding=encoding)

    @property
    def conninfo(self) -> str:
        """The connection string that works, complete."""
        return self._conninfo

    @property
    def has_no_room(self) -> bool:
        """Whether the last attempt was refused, and waiting may help."""
        return bool(self.refusal)

    @property
    def in_use(self) -> bool:
        """Whether forgetting the target would lose something."""
        return bool(self.idle or self.waiting or self.connecting or self.resetting)

    @property
    def missing(self) -> int:
        """How many more connections the waiting steps need than are on their way."""
        return len(self.waiting) - self.connecting - self.resetting

    def next_waiting(self) -> WaitingStep | None:
        """Take the step that has waited longest from the list."""
        while self.waiting:
            step = self.waiting.popleft()
            if not step.future.done():
                return step
        return None

    async def connect(self, on_lost: Callable[[StepConnection], object]) -> StepConnection:
        """Open a connection. Raise `NotNowError` where trying again may help, else `TargetError`."""
        conninfo, encoding = self._conninfo, self._encoding
        try:
            conn = await psycopg.AsyncConnection.connect(await _resolved(conninfo), autocommit=True)
            await self._check_role(conn)
            if encoding == "UTF8" and conn.info.parameter_status("server_encoding") == "SQL_ASCII":
                # Its text need not be UTF-8, and the server would refuse to send what is not.
                await conn.close()
                self._encoding = "SQL_ASCII"
                self.move({})
                return await self.connect(on_lost)
            connection = StepConnection(conn, self, on_lost)
        except (TargetError, NotNowError):
            raise
        except (OSError, MemoryError, RuntimeError) as error:  # this machine is short of something
            raise NotNowError(_words(error)) from error
        except Exception as error:  # a strange host name makes Python's resolver raise anything
            words = _words(error)
            if not refuses_options(words) or conninfo == self._plain_conninfo:
                raise await self._refusal(words) from error
        else:
            await self._greet(connection)
            return connection
        self._conninfo = self._plain_conninfo
        return await self.connect(on_lost)

    async def _greet(self, connection: StepConnection) -> None:
        """Find out what the connection leads to. What is no PostgreSQL server does not tell."""
        output = Output()
        answer = await connection.ask(GREETING, output)
        # A server of ours answers, unless a short timeout of the role prevents it.
        if connection.spoiled or (self.local and answer is None):
            connection.close()
            raise await self._refusal(output.text().strip())
        self._doubts = 0
        if answer is None:
            return
        connection.server, pid, connection.database, versions, encrypted = answer.split()
        connection.pooled = int(pid) != connection.conn.pgconn.backend_pid
        connection.plain = self.local and encrypted == "f" and not connection.pooled
        if connection.pooled:
            connection.shared = await self._is_shared(connection)
        await self.freshness.begin(connection, versions)

    async def _is_shared(self, connection: StepConnection) -> bool:
        """Return whether a pooler gives connections to others between transactions. It may be told to do otherwise."""
        async with self._checking:
            now = asyncio.get_running_loop().time()
            if now > self._checked_at + CHECKED_SECONDS:
                conn = await psycopg.AsyncConnection.connect(await _resolved(self._conninfo), autocommit=True)
                second = StepConnection(conn, self, lambda _: None)
                try:
                    self._shared = await is_shared(asker(connection), asker(second))
                finally:
                    second.abandon()
                self._checked_at = now
        return self._shared

    async def _refusal(self, words: str) -> NotNowError | TargetError:
        """Return the error for a connection that can't be made for this reason."""
        return NotNowError(words) if await self._may_pass(words) else TargetError(words)

    async def _check_role(self, conn: psycopg.AsyncConnection) -> None:
        """Close the connection if the role that has logged in is not the step's, but a later one of its name."""
        if self.role is not None:
            try:
                cursor = await conn.execute(LOGGED_IN)
                if await cursor.fetchone() != (self.role,):
                    raise TargetError("Not executed: the role's name has become another role's.")
            except BaseException:
                await conn.close()
                raise

    async def _may_pass(self, words: str) -> bool:
        """Return whether trying again may help. A server may say why in its own language: then it is asked."""
        known = may_pass(words, own_server=self.local)
        if known is not None:
            return known
        answer = await in_thread(ping, self._conninfo)
        if answer != pq.Ping.OK or self._ask is None:
            return answer == pq.Ping.REJECT or (self.local and answer == pq.Ping.NO_RESPONSE)
        reason = await self._ask(self._params.get("dbname"), self._params.get("user"))
        self._doubts = 0 if reason == FULL else self._doubts + 1
        # A place may have become free between the refusal and the question.
        return reason == FULL or (reason != HOPELESS and self._doubts <= MOST_DOUBTS)


def target_of(connection: StepConnection) -> Target:
    """Return the target that a connection of the pool belongs to."""
    target = connection.owner
    assert isinstance(target, Target)
    return target


async def _resolved(conninfo: str) -> str:
    """Return the connection string with addresses, so that psycopg need not look for them in a thread of its own."""
    hosts = split_hosts(conninfo_to_dict(conninfo))
    if all(map(is_resolved, hosts)):
        return conninfo
    places = await in_thread(resolve, hosts)
    return make_conninfo(
        conninfo, **{key: ",".join(str(place[key] or "") for place in places) for key in PLACE}
    )


def _words(error: Exception) -> str:
    """Return libpq's or the server's words, without psycopg's."""
    words = re.sub(r"^connection (?:failed|is bad): ", "", str(error)).strip() or type(error).__name__
    return hide_mistyped(words)
