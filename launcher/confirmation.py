"""The confirmation that the server still has this launcher's agent: without a fresh one no step begins.

A launcher that was frozen, or whose machine was, does not know it. Others have closed its runs meanwhile, and perhaps
begun them again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

FRESH_SECONDS = 2.0  # much less than others wait before they close the runs of an agent


def now() -> float:
    """Return the time on a clock that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Confirmation:
    """When the server last said that the agent is there."""

    def __init__(self, ask: Callable[[], None]) -> None:
        """*ask* is called when a step waits for a fresh confirmation."""
        self._ask = ask
        self._until = 0.0
        self._waiting: list[asyncio.Future[bool]] = []
        self.lapsed = False  # the connection to the server is lost, and there is no new one yet

    @property
    def is_fresh(self) -> bool:
        """Whether a step may begin."""
        return now() < self._until

    @property
    def is_wanted(self) -> bool:
        """Whether a step waits for it."""
        self._waiting = [future for future in self._waiting if not future.done()]
        return bool(self._waiting)

    def wait(self) -> asyncio.Future[bool]:
        """Return a future that is true when there is a fresh confirmation, and false when the connection is lost before."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if not self.lapsed:
            self._ask()
        return future

    def confirm(self, asked: float) -> None:
        """The server has answered what it was asked at this time of `now`."""
        self._until = max(self._until, asked + FRESH_SECONDS)
        self.lapsed = False
        if self.is_fresh:
            self._tell(True)

    def lapse(self) -> None:
        """Forget the confirmation: the connection to the server is lost."""
        self._until, self.lapsed = 0.0, True
        self._tell(False)

    def _tell(self, fresh: bool) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(fresh)
        self._waiting.clear()
