"""Refused steps: those that could not connect when they were tried last."""

from __future__ import annotations

from collections.abc import Iterable

from .sql_step import SqlStep
from .step import RunningStep, StepRun

MOST = 500  # the oldest are forgotten


class RefusedSteps:
    """Steps (jstid) with the words by which they were refused, oldest first."""

    def __init__(self) -> None:
        """Nothing was refused yet."""
        self._words: dict[int, str] = {}

    def note(self, run: StepRun, step: RunningStep) -> None:
        """Look at a step that runs, or that has ended."""
        if not isinstance(step, SqlStep):
            return
        if words := step.refused:
            self._words[run.jstid] = words
            while len(self._words) > MOST:
                del self._words[next(iter(self._words))]
        elif step.begun:
            self._words.pop(run.jstid, None)

    def look(self, running: Iterable[tuple[StepRun, RunningStep]]) -> dict[int, str]:
        """Look at the running steps; return all that is known."""
        for run, step in running:
            self.note(run, step)
        return dict(self._words)
