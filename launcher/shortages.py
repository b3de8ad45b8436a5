"""Shortages of the machine: what is missing now may be there soon. Steps that have not begun wait for it.

Some file descriptors are kept for the control connection, so that steps can't take the last ones.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator

# No process, no descriptor, no memory
PASSING = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0  # between two tries of the same
NO_MEMORY = "The launcher had no memory for the step's output."

RESERVED = 16  # two attempts at each of several hosts, and what the resolver opens
# For a step to begin: two pipes, its script and its process; or a connection, and the files that libpq reads
NEEDED = 6


class Reserve:
    """Descriptors that are open for nothing, and are given up when the control connection needs some."""

    def __init__(self, size: int = RESERVED, on_shortage: Callable[[], None] = lambda: None) -> None:
        """Hold *size* descriptors. *on_shortage* gives some back, if it can, when there are too few for a step."""
        self._size = size
        self._on_shortage = on_shortage
        self._held: list[int] = []
        self._users = 0
        self._hold()

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Give up the reserve for a while; no step begins meanwhile unless there is room for both."""
        self._users += 1
        self._release()
        try:
            yield
        finally:
            self._users -= 1
            self._hold()

    def has_room(self) -> bool:
        """Return whether a step may open what it needs."""
        if self._has_room():
            return True
        self._on_shortage()
        return self._has_room()

    def close(self) -> None:
        """Give up the reserve for good."""
        self._size = 0
        self._release()

    def _has_room(self) -> bool:
        self._hold()
        if self._users == 0 and len(self._held) < self._size:
            return False
        spare: list[int] = []
        try:
            for _ in range(NEEDED + (self._size if self._users else 0)):
                spare.append(_open())
        except OSError:
            return False
        finally:
            for descriptor in spare:
                os.close(descriptor)
        return True

    def _hold(self) -> None:
        """Open as many as are missing, or as many as there are."""
        with contextlib.suppress(OSError):
            while self._users == 0 and len(self._held) < self._size:
                self._held.append(_open())

    def _release(self) -> None:
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()


def _open() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
