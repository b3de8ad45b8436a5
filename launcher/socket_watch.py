"""What the event loop knows of a libpq connection's socket.

libpq closes the socket inside any call that finds the connection lost. The number is free from then on: the next pipe or
process that is opened gets it. If the event loop still knew it, it would not watch the new one, or would forget it
together with the connection. So whoever has called libpq calls `check` in the same tick.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from psycopg import pq
from psycopg.pq.abc import PGconn

_BAD = int(pq.ConnStatus.BAD)


class SocketWatch:
    """Watches the socket of *pgconn*, from `read` on until libpq closes it or `stop` is called."""

    __slots__ = ("_loop", "_pgconn", "_writing", "fd")

    def __init__(self, pgconn: PGconn) -> None:
        """Remember the socket of an open connection: *fd*, negative once it is closed."""
        self._pgconn = pgconn
        self.fd = pgconn.socket
        self._loop = asyncio.get_running_loop()
        self._writing = False

    def read(self, on_readable: Callable[[], object]) -> None:
        """Call *on_readable* whenever there is something to read."""
        if self.check():
            self._loop.add_reader(self.fd, on_readable)

    def write(self, on_writable: Callable[[], object]) -> None:
        """Call *on_writable* whenever there is room to write, until `stop_write`."""
        if self.check():
            self._writing = True
            self._loop.add_writer(self.fd, on_writable)

    def stop_write(self) -> None:
        """Look for room no longer."""
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self.fd)

    def check(self) -> bool:
        """Return whether the socket is open. If libpq has closed it, the event loop forgets it."""
        if self.fd >= 0 and self._pgconn.status == _BAD:
            self.stop()
        return self.fd >= 0

    def stop(self) -> None:
        """Have the event loop forget the socket."""
        if self.fd >= 0:
            with contextlib.suppress(OSError):  # a closed one can't be changed, only removed
                self.stop_write()
            self._loop.remove_reader(self.fd)
            self.fd = -1
