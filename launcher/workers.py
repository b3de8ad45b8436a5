"""The workers: so many steps at a time. A step that was claimed ahead waits here until one is free, or is handed back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from .confirmation import now
from .step import StepResult, StepRun

SHORT_SECONDS = 0.02  # A step that has taken no longer will most likely be followed by others of its kind.
LONGEST_WAIT_SECONDS = 0.05  # for a worker; then others are to have a chance
KEPT_SECONDS = 1.0  # between attempts to hand back a step that could not be


@dataclass(slots=True, eq=False)
class Waiting:
    """A step that waits for a worker; *turn*: whether it begins, or was handed back."""

    run: StepRun
    turn: asyncio.Future[bool]
    workers: Workers
    since: float = field(default_factory=now)

    def begin(self) -> None:
        """Let it begin, if it has not, worker or not."""
        if not self.turn.done():
            self.turn.set_result(True)
            self.workers.began()


class Workers:
    """Counts the steps that have one of *total* workers, and lets those that wait begin in their order."""

    def __init__(self, total: int) -> None:
        """All of them are free."""
        self._total = total
        self._busy = 0
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        """Return how many steps wait."""
        return len(self._waiting)

    def ahead(self, results: Sequence[StepResult]) -> int:
        """Return how many more steps may come to wait: two for each that has just ended soon, but no more than workers."""
        short = sum(result.jslduration < SHORT_SECONDS for result in results)
        return max(0, min(2 * short, self._total - len(self)))

    def wait(self, run: StepRun) -> Waiting:
        """Return the wait of a step that was claimed ahead."""
        waiting = Waiting(run, asyncio.get_running_loop().create_future(), self)
        self._waiting.append(waiting)
        self._let_begin()
        return waiting

    def began(self) -> None:
        """A step has taken a worker, or is one more than there are."""
        self._busy += 1

    def ended(self) -> None:
        """A worker is free."""
        self._busy -= 1
        self._let_begin()

    def _let_begin(self) -> None:
        while self._waiting and self._busy < self._total:
            self._waiting.popleft().begin()

    def seconds(self) -> float | None:
        """Return after how long a step will have waited too long; None if none waits."""
        if not self._waiting:
            return None
        return min(waiting.since for waiting in self._waiting) + LONGEST_WAIT_SECONDS - now()

    def take_late(self, *, all_: bool) -> list[Waiting]:
        """Return the steps that have waited too long, or *all_*. They wait until `return_late` says what becomes of them."""
        before = now() - LONGEST_WAIT_SECONDS
        still = [waiting for waiting in self._waiting if not waiting.turn.done()]
        late = [waiting for waiting in still if all_ or waiting.since <= before]
        self._waiting = deque(waiting for waiting in still if waiting not in late)
        return late

    def return_late(self, late: Sequence[Waiting], handed_back: Collection[int]) -> None:
        """Those runs (jlgid) were handed back; the others wait on."""
        for waiting in reversed(late):
            if waiting.turn.done():
                continue
            if waiting.run.jlgid in handed_back:
                waiting.turn.set_result(False)
            else:
                waiting.since = now() + KEPT_SECONDS
                self._waiting.appendleft(waiting)
        self._let_begin()
