"""What the connections of one connection string share, and the steps that wait for one."""

from __future__ import annotations

import asyncio
from collections import deque

from .conninfo import Params, complete, with_client_check
from .output import Output
from .sql_connection import SqlConnection


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
        self.plain_conninfo = complete(params)
        self.conninfo = complete(with_client_check(params))
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


def target_of(connection: SqlConnection) -> Target:
    target = connection.owner
    assert isinstance(target, Target)
    return target
