"""What a launcher of many databases keeps of each."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from ..agent import Agent
from ..confirmation import now
from ..vitals import Vitals
from .look import Need, Seen

LOOK_EVERY_SECONDS = 60.0  # even if nothing seems to have happened
# Between two looks that find nothing to do, although something happens in the database: twice as long each time
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 4.0
FOREIGN_PAUSE_SECONDS = 30.0  # in a database without the extension
FIRST_ERROR_SECONDS, LONGEST_ERROR_SECONDS = 2.0, 60.0
EARLY_SECONDS = 3.0  # that a database is served before something is due


@dataclass(slots=True)
class Database:
    """A database of the server. *agent*: while it is served. *expected*: transactions, without those that others make."""

    oid: int
    name: str
    vitals: Vitals
    id: UUID = field(default_factory=uuid4)
    agent: Agent | None = None
    task: asyncio.Task[None] | None = None
    extension: bool = False
    served: bool = False  # by this launcher, at some time
    expected: int | None = None
    active: float = 0.0
    wanted_at: float = float("inf")
    look_at: float = 0.0  # not before
    look_by: float = 0.0  # at the latest
    pause: float = FIRST_PAUSE_SECONDS
    error_pause: float = FIRST_ERROR_SECONDS
    error: str = ""
    held: bool = False  # what was due when it was left was not to be had

    def is_to_be_looked_at(self, seen: Seen) -> bool:
        """Return whether something has happened, or is due, or it was long ago."""
        first = self.expected is None
        moved = self.expected is None or seen.transactions > self.expected or seen.active > self.active
        time = now()
        if not moved and time > self.look_at + LONGEST_PAUSE_SECONDS:
            self.pause = FIRST_PAUSE_SECONDS
        if time < self.look_at or self.task is not None:
            return False
        if not (moved or time >= self.look_by or time >= self.wanted_at - EARLY_SECONDS):
            return False
        self.expected, self.active = seen.transactions, seen.active
        self.held = self.held and first
        return True

    def looked(self, need: Need) -> bool:
        """Note what a look has found; return whether the database is to be served."""
        time = now()
        assert self.expected is not None
        self.expected += need.transactions
        self.extension = need.extension
        self.look_by = time + LOOK_EVERY_SECONDS
        self.wanted_at = float("inf") if need.wanted_in is None else time + need.wanted_in
        wanted = self.wanted_at <= time + EARLY_SECONDS and not (self.held and self.wanted_at <= time)
        if need.extension and (not self.served or wanted):
            return True
        if self.held:
            self.wanted_at = float("inf")
        self.look_at = time + (self.pause if need.extension else FOREIGN_PAUSE_SECONDS)
        self.pause = min(self.pause * 2, LONGEST_PAUSE_SECONDS)
        return False

    def was_served(self) -> None:
        """It was served, so nothing is wrong with it."""
        self.served, self.error, self.error_pause = True, "", FIRST_ERROR_SECONDS

    def left(self) -> None:
        """It is served no more. The next look tells since when nothing else has happened, and what is due later."""
        self.vitals.quiet_since = now()
        self.expected, self.wanted_at = None, float("inf")
        self.look_at, self.look_by = now() + FIRST_PAUSE_SECONDS, now() + LOOK_EVERY_SECONDS
        self.pause = FIRST_PAUSE_SECONDS

    def failed(self, error: str) -> bool:
        """Note that it can't be looked at or served; return whether these words are new."""
        new, self.error = error != self.error, error
        self.look_at = now() + self.error_pause
        self.error_pause = min(self.error_pause * 2, LONGEST_ERROR_SECONDS)
        return new
