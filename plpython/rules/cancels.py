"""Long searches heed cancels and timeouts."""

from __future__ import annotations

import time

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from .schedule import Instant, NextRun, Schedule
from .schedule import next_run as next_firing
from .zones import Zone

HEED_EVERY_SECONDS = 0.02
# The server looks for cancels while it executes a statement.
HEED = Statement("SELECT")


def heeding_cancels(plpy: Plpy) -> NextRun:
    """Return next_firing that goes by the server now and then: Python alone would not notice a cancel or a timeout."""
    heeded = time.monotonic()

    def find(schedule: Schedule, zone: Zone, after: Instant) -> Instant | None:
        nonlocal heeded
        if time.monotonic() > heeded + HEED_EVERY_SECONDS:
            HEED(plpy)
            heeded = time.monotonic()
        return next_firing(schedule, zone, after)

    return find
