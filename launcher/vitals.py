"""Vitals: what a launcher knows of itself. Only its loop changes them; other threads read them."""

from __future__ import annotations

import asyncio
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence

from .confirmation import now
from .systemd import notify_systemd

TURN_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
BEAT_SECONDS = 1.0
STOPPED_SECONDS = 15.0  # without a beat, after which the loop does not turn


class Histogram:
    """Counts values in bins: the last one is beyond all bounds."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """*bounds*: the greatest value of each bin but the last."""
        self.bounds = bounds
        self.bins = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self.bins[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Vitals:
    """Those of the service of one database."""

    def __init__(self, conninfo: str, places: int) -> None:
        """*conninfo* leads to the database; so many *places* for steps."""
        self.conninfo = conninfo
        self.database = ""  # its name, as soon as it is known
        self.places = places
        self.running: Callable[[], int] = lambda: 0  # how many steps run
        self.serving = False
        self.reconnections = 0
        self.turns = Histogram(TURN_BOUNDS)
        self.turned_at = now()
        self.quiet_since = float(
            "inf"
        )  # of many databases: since when this one has no agent, with nothing to do
        self.worked_at = now()  # when it has last been given a step, or began to serve
        self.steps: Counter[str] = Counter()  # that have ended, by status

    def begin(self, database: str, again: bool) -> None:
        """The database is served from now on; *again* after a lost connection."""
        self.database = database
        self.serving = True
        self.quiet_since = float("inf")
        self.worked_at = now()
        self.reconnections += again

    def turned(self, began: float) -> None:
        """A turn has ended that *began* then, by `now`."""
        self.turned_at = now()
        self.turns.add(self.turned_at - began)


class Heart:
    """Beats while the event loop turns. The service manager is told, if it asks for that (WatchdogSec)."""

    def __init__(self) -> None:
        """It does not beat yet."""
        self.beaten_at = now()
        asked = os.environ.get("WATCHDOG_USEC", "")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watched = asked.isdigit() and int(asked) > 0 and mine
        self._seconds = min(BEAT_SECONDS, int(asked) / 4e6) if self._watched else BEAT_SECONDS

    def beat(self) -> None:
        """Beat now and from now on."""
        self.beaten_at = now()
        if self._watched:
            notify_systemd("WATCHDOG=1")
        asyncio.get_running_loop().call_later(self._seconds, self.beat)

    @property
    def beats(self) -> bool:
        """Whether the loop turns."""
        return now() < self.beaten_at + STOPPED_SECONDS
