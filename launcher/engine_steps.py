"""What the steps on engines share: the watch of each engine, and the way to write down what an engine calls a step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from .confirmation import Confirmation
from .engine_step import EngineStep, Watch
from .engines import engines
from .engines.interface import ENDED, EngineError, State, Task
from .step import StepRun

Note = Callable[[int, str], Awaitable[bool]]


class EngineSteps:
    """Makes steps that are executed on an engine."""

    def __init__(self, directory: Path, output_limit: int, confirmation: Confirmation, note: Note) -> None:
        """*directory* is --engine-dir; *note* writes down the id that an engine has given to a step (jslid)."""
        self._directory = directory
        self._output_limit = output_limit
        self._confirmation = confirmation
        self._note = note
        self._watches: dict[str, Watch] = {}

    def step(self, run: StepRun) -> EngineStep:
        """Return the step, to be executed."""
        assert run.engine is not None
        if run.engine not in self._watches:
            self._watches[run.engine] = Watch(engines().get(run.engine) or Missing(run.engine))
        watch = self._watches[run.engine]
        return EngineStep(run, watch, self._directory, self._output_limit, self._confirmation, self._note)


class Missing:
    """Stands for an engine that this launcher does not have."""

    OUTLIVES_LAUNCHER = False
    LOOK_SECONDS = 1.0

    def __init__(self, name: str) -> None:
        """Be called *name*."""
        self._name = name

    async def submit(self, task: Task) -> str:
        """Say that it is missing."""
        raise EngineError(
            f"step {task.run.jstid} needs engine {self._name}, which this launcher does not have"
        )

    async def look(self, tasks: Sequence[Task]) -> Mapping[str, State]:
        """Let all end: none has begun."""
        return {task.name: State(ENDED) for task in tasks}

    async def cancel(self, task: Task, kill: bool) -> None:
        """Do nothing."""

    async def output(self, task: Task) -> str:  # noqa: ARG002
        """Return nothing."""
        return ""
