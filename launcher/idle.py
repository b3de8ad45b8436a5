"""The idle connections of the pool: they are closed when nobody has needed them for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from .sql_connection import SqlConnection
from .sql_target import Target


class IdleConnections:
    """Looks after the idle connections of all targets."""

    def __init__(
        self,
        targets: Callable[[], Iterable[Target]],
        drop: Callable[[SqlConnection], None],
        idle_seconds: float,
    ) -> None:
        """*drop* those of *targets* that are idle for *idle_seconds*."""
        self._targets = targets
        self._drop = drop
        self._idle_seconds = idle_seconds
        self._cold_timer: asyncio.TimerHandle | None = None

    def keep(self, target: Target, connection: SqlConnection) -> None:
        """Keep a connection that no step needs now."""
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        target.idle.append(connection)
        if self._cold_timer is None:
            self._cold_timer = loop.call_later(self._idle_seconds, self._close_cold)

    def stop(self) -> None:
        """Look no more."""
        if self._cold_timer is not None:
            self._cold_timer.cancel()

    def _close_cold(self) -> None:
        """Close the connections that have been idle for too long; the next look is at the next one's time."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._cold_timer = None
        oldest = now
        for target in self._targets():
            while target.idle and target.idle[0].idle_since <= now - self._idle_seconds:
                self._drop(target.idle.pop(0))
            if target.idle:
                oldest = min(oldest, target.idle[0].idle_since)
        if oldest < now:
            self._cold_timer = loop.call_at(oldest + self._idle_seconds, self._close_cold)
