"""The report: what the database is told of this launcher's host, so that a doctor who has only the database can tell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

from psycopg.types.json import Jsonb

from .control import Control
from .hindrances import find_hindrances
from .side_task import SideTask

SERVER_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"
REPORT = "SELECT pgagent_py.report_launcher(%s, %s, %s)"

PAUSE_SECONDS = 60.0  # between two reports
REFUSED_PAUSE_SECONDS = 5.0  # after which a step that could not connect is reported
LONGEST_WORDS = 1000


class Report(SideTask):
    """Tells the clock's error, what the service takes from batch steps, and refused connections, when they have changed."""

    name = "report"

    def __init__(self, refused: Callable[[], dict[int, str]]) -> None:
        """*refused* returns the steps (jstid) that could not connect, and why."""
        self._refused = refused
        self._hindrances = find_hindrances()
        self._told: dict[str, str] = {}
        self._next = 0.0
        self._looked = -REFUSED_PAUSE_SECONDS

    def seconds(self) -> float:
        """Return after how long the next turn has something to do."""
        soon = self._looked + REFUSED_PAUSE_SECONDS if self._found() != self._told else self._next
        return max(soon - asyncio.get_running_loop().time(), 0.0)

    async def turn(self, control: Control, *, idle: bool, stopping: bool) -> None:  # noqa: ARG002
        """Tell what has changed. Steps that could not connect are told soon, the rest each minute."""
        now = asyncio.get_running_loop().time()
        if stopping or now < self._looked + REFUSED_PAUSE_SECONDS:
            return
        self._looked, refused = now, self._found()
        if now < self._next and refused == self._told:
            return
        self._next = now + PAUSE_SECONDS
        skew = timedelta(seconds=await clock_skew(control))
        await control.fetch(REPORT, [skew, self._hindrances, Jsonb(refused)])
        self._told = refused

    def _found(self) -> dict[str, str]:
        return {str(step): words[:LONGEST_WORDS] for step, words in self._refused().items()}


async def clock_skew(control: Control) -> float:
    """Return by how many seconds this host's clock is ahead of the server's, as far as that is certain."""
    before = time.time()
    ((there,),) = await control.fetch(SERVER_CLOCK)
    after = time.time()
    return round(max(before - float(there), 0.0) + min(after - float(there), 0.0), 1)
