"""Upkeep: deletes, a little at a time, what the database need not keep any longer."""

from __future__ import annotations

import asyncio

from .control import Control
from .side_task import SideTask

UPKEEP = "SELECT pgagent_py.upkeep(%s)"

JOBS_PER_TURN = 500  # whose history is looked at
PAUSE_SECONDS = 20.0  # between two turns, when there was nothing to delete
MORE_PAUSE_SECONDS = 0.5  # when there was
ERROR_PAUSE_SECONDS = 60.0


class Upkeep(SideTask):
    """Calls the extension's upkeep from time to time."""

    name = "upkeep"

    def __init__(self) -> None:
        """Begin with the first turn."""
        self._next = 0.0

    def seconds(self) -> float:
        """Return after how long the next turn has something to do."""
        return max(self._next - asyncio.get_running_loop().time(), 0.0)

    async def turn(self, control: Control, *, idle: bool, stopping: bool) -> None:
        """Delete a little. Unless the launcher is *idle* this has time, but not for ever."""
        now = asyncio.get_running_loop().time()
        if stopping or now < self._next + (0.0 if idle else PAUSE_SECONDS):
            return
        self._next = now + ERROR_PAUSE_SECONDS
        ((deleted,),) = await control.fetch(UPKEEP, [JOBS_PER_TURN])
        self._next = now + (MORE_PAUSE_SECONDS if deleted else PAUSE_SECONDS)
