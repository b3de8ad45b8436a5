"""Failed logins make the next one wait, twice as long each time. The first few are free: people mistype."""

import time
from collections.abc import Callable

FIRST_SECONDS = 1.0
MOST_SECONDS = 60.0
KEPT = 10_000


class BackOff:
    """Counts failures by key. The count is forgotten ten minutes after the last one."""

    FORGOTTEN_SECONDS = 600

    def __init__(self, free: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Let `free` failures pass. Take the time from `clock`, in seconds."""
        self._free = free
        self._clock = clock
        self._failures: dict[str, tuple[int, float]] = {}

    def seconds_to_wait(self, key: str) -> float:
        """Return how long until the next try counts; 0 is now."""
        count, last = self._failures.get(key, (0, 0.0))
        if count < self._free:
            return 0.0
        wait = min(FIRST_SECONDS * float(1 << min(count - self._free, 10)), MOST_SECONDS)
        return max(0.0, last + wait - self._clock())

    def failed(self, key: str) -> None:
        """Note a failed login."""
        now = self._clock()
        count, last = self._failures.pop(key, (0, now))
        if now - last > self.FORGOTTEN_SECONDS:
            count = 0
        self._failures[key] = (count + 1, now)
        if len(self._failures) > KEPT:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, key: str) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)
