"""What an engine is: a module with four functions and two constants. docs/engines.md tells how to write one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..output import Output, with_lines
from ..step import StepRun

if TYPE_CHECKING:
    from ..processes import Processes

WAITING, RUNNING, ENDED = "waiting", "running", "ended"
SIGNALLED, LAST_SIGNAL = 128, 64  # a shell's exit code for a signal is 128 and its number
SHELL = "/bin/sh"


@dataclass(slots=True)
class Task:
    """A step, as engines get it.

    *name* is unique to this try of the step, for ever. *variables* are for the script's environment. *directory* is --engine-dir.
    *processes* starts processes of the launcher. *job* is what the engine calls the step, "" until it has said so. *cancelled*:
    it is to end. *kept* is the engine's own: what it keeps of the step while this launcher has it.

    An engine that gets the output as it comes writes it to *stdout* and *stderr*. An engine without LOOK_SECONDS calls
    *changed* when the step has ended. *may_begin* says whether the script may still begin: others may have got the step since.
    Ask it after all that may take seconds.
    """

    run: StepRun
    name: str
    options: Mapping[str, object]
    variables: Mapping[str, str]
    directory: Path
    output_limit: int
    processes: Processes | None = None
    job: str = ""
    cancelled: bool = False
    changed: Callable[[], None] = lambda: None
    may_begin: Callable[[], bool] = lambda: True
    kept: Any = None
    stdout: Output = field(init=False)
    stderr: Output = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no output."""
        self.stdout, self.stderr = Output(self.output_limit), Output(self.output_limit)

    @property
    def script(self) -> str:
        """Return the script, as an interpreter wants it."""
        return self.run.jstcode.removeprefix("\ufeff").replace("\r\n", "\n")

    @property
    def command(self) -> list[str]:
        """Return the command for the script: the program that its first line names, with one argument at most, or sh."""
        first = self.script.split("\n", 1)[0].strip()
        if not first.startswith("#!") or not (words := first[2:].split(None, 1)):
            return [SHELL]
        return words

    def text(self) -> str:
        """Return stdout until now, and stderr under a heading: output_limit bytes at most."""
        limit = self.output_limit
        errors = min(len(self.stderr), max(limit // 2, limit - len(self.stdout)))
        text = self.stdout.text(limit - errors)
        if errors:
            text = with_lines(text, "Standard error:") + self.stderr.text(errors)
        return text


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


class NotYetError(Exception):
    """The step can't begin now, and nothing of it has begun. `submit` is called again when *until* is done."""

    def __init__(self, until: asyncio.Future[None]) -> None:
        """*until* is waited for, and not cancelled."""
        super().__init__()
        self.until = until


def after(seconds: float) -> asyncio.Future[None]:
    """Return a future that is done after so many seconds."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.call_later(seconds, future.set_result, None)
    return future


class Engine(Protocol):
    """The module of an engine."""

    @property
    def OUTLIVES_LAUNCHER(self) -> bool:  # noqa: N802
        """Whether its steps go on without the launcher, and another launcher can take them over."""
        ...

    @property
    def LOOK_SECONDS(self) -> float | None:  # noqa: N802
        """How long to wait between two looks. None: the engine calls `changed` of a task when a look would find its end."""
        ...

    async def submit(self, task: Task) -> str:
        """Begin the step; return what the engine calls it. If it was begun before, find that, and begin nothing.

        Raises `EngineError`, or `UnreachableError` or `NotYetError`: then it is called again.
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
