"""Wake-ups by notifications. Any role may notify the launchers' channel, so those that lead to nothing are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# Wake-ups in a row that led to nothing, and how many more a second gives. Beyond them a notification waits for its turn.
BURST, PER_SECOND = 50.0, 20.0


class WakeUps:
    """Passes notifications on as wake-ups, at once as long as there are few."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """*wake* wakes the loop."""
        self._wake = wake
        self._left = BURST
        self._counted_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def notified(self) -> None:
        """Wake the loop, now or soon."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._left = min(BURST, self._left + (now - self._counted_at) * PER_SECOND)
        self._counted_at = now
        if self._left >= 1:
            self._left -= 1
            self._wake()
        else:
            self._timer = loop.call_later((1 - self._left) / PER_SECOND, self._late)

    def was_useful(self) -> None:
        """Forget the last wake-up: there was something to do."""
        self._left = min(BURST, self._left + 1)

    def stop(self) -> None:
        """Wake no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _late(self) -> None:
        self._timer = None
        self.notified()
