"""What an engine is: a module with four functions and two constants. docs/engines.md tells how to write one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..step import StepRun

WAITING, RUNNING, ENDED = "waiting", "running", "ended"
SIGNALLED, LAST_SIGNAL = 128, 64  # a shell's exit code for a signal is 128 and its number


@dataclass(slots=True)
class Task:
    """A step, as engines get it.

    *name* is unique to this try of the step, for ever. *variables* are for the script's environment. *directory* is --engine-dir.
    *job* is what the engine calls the step, "" until it has said so. *cancelled*: it is to end.
    """

    run: StepRun
    name: str
    options: Mapping[str, object]
    variables: Mapping[str, str]
    directory: Path
    output_limit: int
    job: str = ""
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """What an engine says of a step: *phase* is WAITING, RUNNING or ENDED; *note* is for the log. *code* is the exit code."""

    phase: str
    note: str = ""
    code: int = -1


def killed_by(code: int) -> str:
    """Return what an exit code of a shell says of a signal, "" if it is of none."""
    number = code - SIGNALLED
    return f"The script was killed by signal {number}." if 0 < number <= LAST_SIGNAL else ""


class EngineError(Exception):
    """The step can't be executed, and trying again does not help; the text is for the log."""


class UnreachableError(Exception):
    """The engine does not answer at the moment: it is asked again."""


class Engine(Protocol):
    """The module of an engine."""

    @property
    def OUTLIVES_LAUNCHER(self) -> bool:  # noqa: N802
        """Whether its steps go on without the launcher, and another launcher can take them over."""
        ...

    @property
    def LOOK_SECONDS(self) -> float:  # noqa: N802
        """How long to wait between two looks."""
        ...

    async def submit(self, task: Task) -> str:
        """Begin the step; return what the engine calls it. If it was begun before, find that, and begin nothing.

        Raises `EngineError`, or `UnreachableError`: then it is called again.
        """
        ...

    async def look(self, tasks: Sequence[Task]) -> Mapping[str, State]:
        """Return the states of the steps, by the names of the tasks. One that is left out has not changed.

        Raises `UnreachableError`.
        """
        ...

    async def cancel(self, task: Task, kill: bool) -> None:
        """Make the step end, *kill* at once. Called again until `look` says that it has ended. Raises `UnreachableError`."""
        ...

    async def output(self, task: Task) -> str:
        """Return what the step has written until now, output_limit bytes at most."""
        ...
