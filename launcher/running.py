"""A step that this launcher has, and whether it runs."""

from __future__ import annotations

from dataclasses import dataclass

from .step import ABORTED, RunningStep, StepRun
from .workers import Waiting


@dataclass(slots=True)
class Running:
    """A step that runs, or waits for a worker.

    *wanted*: the server knows of it, so its result is to be booked. *behind*: it does not, but it knows of the run, and will
    hand out the step again.
    """

    run: StepRun
    step: RunningStep
    lasts: bool  # it goes on without this launcher
    wanted: bool = True
    behind: bool = False
    waiting: Waiting | None = None  # it was claimed ahead

    @property
    def waits(self) -> bool:
        """Whether it has no worker: it waits for one, or was handed back."""
        return self.waiting is not None and not (self.waiting.turn.done() and self.waiting.turn.result())

    def cancel(self, note: str, status: str = ABORTED, kill: bool = False) -> None:
        """Stop it as `RunningStep.cancel` does. One that waits need not wait any longer to end."""
        self.step.cancel(note, status, kill)
        if self.waiting is not None:
            self.waiting.begin()
