"""The idle connections of the pool: they are closed when nobody has needed them for long, or when their database is wanted.

DROP DATABASE, RENAME, SET TABLESPACE and CREATE DATABASE ... TEMPLATE lock the database, then wait for five seconds until
nobody else is connected to it. So an idle connection looks for such a lock, and goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from .freshness import VERSIONS
from .sql_connection import WITH_OWN_PATH
from .sql_target import Target, target_of
from .step_connection import StepConnection

# The databases that somebody wants for himself
WANTED = f"""{WITH_OWN_PATH}
SELECT string_agg(l.objid::text, ' ') FROM pg_locks l
 WHERE l.locktype = 'object' AND l.database = 0 AND l.classid = 'pg_database'::regclass
   AND l.mode IN ('AccessExclusiveLock', 'ShareLock')""".encode()
CHECK = f"{WITH_OWN_PATH}{VERSIONS}".encode()
# A look comes soon after a step, since the job's next step may be what wants its database; then once a second. In steady use
# they keep a distance.
SOON_SECONDS, DISTANCE_SECONDS, LOOK_SECONDS = 0.05, 0.3, 1.0


class IdleConnections:
    """Looks after the idle connections of all targets."""

    def __init__(
        self,
        targets: Callable[[], Iterable[Target]],
        drop: Callable[[StepConnection], None],
        ready: Callable[[StepConnection], None],
        idle_seconds: float,
    ) -> None:
        """*drop* those of *targets* that are idle for *idle_seconds*. One that a step waits for is *ready*."""
        self._targets = targets
        self._drop, self._ready = drop, ready
        self._idle_seconds = idle_seconds
        self._cold_timer: asyncio.TimerHandle | None = None
        self._look_timer: asyncio.TimerHandle | None = None
        self._looked_at = 0.0

    def keep(self, target: Target, connection: StepConnection) -> None:
        """Keep a connection that no step needs now."""
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        target.idle.append(connection)
        if self._cold_timer is None:
            self._cold_timer = loop.call_later(self._idle_seconds, self._close_cold)
        self._look_by(max(connection.idle_since + SOON_SECONDS, self._looked_at + DISTANCE_SECONDS))

    def stop(self) -> None:
        """Look no more."""
        for timer in (self._cold_timer, self._look_timer):
            if timer is not None:
                timer.cancel()

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

    def _look_by(self, time: float) -> None:
        """Look at this time, unless it is done before."""
        if self._look_timer is None or self._look_timer.when() > time:
            if self._look_timer is not None:
                self._look_timer.cancel()
            self._look_timer = asyncio.get_running_loop().call_at(time, self._look)

    def _look(self) -> None:
        """Let one idle connection to each server ask which databases are wanted, if it has been idle for a moment."""
        now = self._looked_at = asyncio.get_running_loop().time()
        self._look_timer = None
        idle = [connection for target in self._targets() for connection in target.idle[:1]]
        if not idle:
            return
        self._look_by(now + LOOK_SECONDS)
        self._check_overdue()
        idle = [connection for connection in idle if connection in target_of(connection).idle]
        rested = [c for c in idle if c.idle_since <= now - SOON_SECONDS]
        for connection in {connection.server: connection for connection in rested}.values():
            target = target_of(connection)
            target.idle.remove(connection)
            target.resetting += 1
            connection.query(WANTED, None, self._looked, internal=True)

    def _check_overdue(self) -> None:
        """Look at each target once more after its last step: a function that came meanwhile may have left something there."""
        for target in self._targets():
            if target.idle and target.freshness.is_overdue(target.idle[-1].idle_since):
                connection = target.idle.pop()
                target.resetting += 1
                connection.query(CHECK, None, self._checked, internal=True)

    def _checked(self, connection: StepConnection) -> None:
        """Close the connections of a target if something has changed that decides whether they are fresh."""
        target = target_of(connection)
        target.resetting -= 1
        value = None if connection.error else (connection.value or b"").decode()
        if not target.freshness.is_still(connection, value):
            while target.idle:
                self._drop(target.idle.pop())
            self._drop(connection)
        elif target.waiting and not target.spread_planned:  # else the steps wait for the shared ones
            self._ready(connection)
        else:
            target.idle.append(connection)
            self._look_by(asyncio.get_running_loop().time() + SOON_SECONDS)

    def _looked(self, connection: StepConnection) -> None:
        """Close the connections to databases that are wanted."""
        asked = target_of(connection)
        asked.resetting -= 1
        wanted = set((connection.value or b"").decode().split())
        for target in self._targets():
            for other in list(target.idle):
                if other.server == connection.server and other.database in wanted:
                    target.idle.remove(other)
                    self._drop(other)
        if connection.error or connection.database in wanted or not connection.is_usable():
            self._drop(connection)
        elif asked.waiting and not asked.spread_planned:
            self._ready(connection)
        else:
            asked.idle.insert(0, connection)
