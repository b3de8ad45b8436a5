"""Executing batch steps in the test's own process, or in one that can be killed."""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import psutil

from launcher import guard_process
from launcher.batch_step import BatchStep, Watch
from launcher.confirmation import Confirmation
from launcher.engines import local
from launcher.engines.interface import Task
from launcher.output import DEFAULT_LIMIT
from launcher.processes import Processes
from launcher.step import StepResult, StepRun

from .steps import row_of_step_run
from .waiting import PATIENCE

T = TypeVar("T")
TOP = Path(__file__).resolve().parents[2]
PYTHON = f"#!{sys.executable} -S\n"
started_launchers: list[subprocess.Popen[bytes]] = []


def step_run(code: str, **columns: Any) -> StepRun:
    """Return a row of step_run for a batch step."""
    return row_of_step_run("b", code, **columns)


class Confirmed(Confirmation):
    """The server has always said just now that the agent is there."""

    is_fresh = True


class LocalStep(BatchStep):
    """A step that is never left to another launcher."""

    async def execute(self) -> StepResult:
        """Run it to its end."""
        result = await super().execute()
        assert result is not None
        return result


def local_step(run: StepRun, processes: Processes, limit: int = DEFAULT_LIMIT) -> LocalStep:
    """Return a batch step on the engine local, to be executed."""

    async def note(jslid: int, job: str) -> bool:
        raise AssertionError(f"{job} of {jslid} is not to be written down")

    task = Task(run, f"step {run.jslid}", {}, run.variables, TOP, limit, processes)
    return LocalStep(task, Watch(local), Confirmed(lambda: None), note)


def with_steps(scenario: Callable[[Processes], Awaitable[T]]) -> T:
    """Run a scenario with what the batch steps of a launcher share."""

    async def main() -> T:
        steps = Processes()
        try:
            async with asyncio.timeout(5 * PATIENCE):
                return await scenario(steps)
        finally:
            await steps.close()

    return asyncio.run(main())


def execute(code: str, limit: int = 1_000_000, **columns: Any) -> StepResult:
    """Execute one script."""
    return with_steps(lambda steps: local_step(step_run(code, **columns), steps, limit).execute())


def processes(word: str) -> list[int]:
    """Return the live processes that have *word* as an argument."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if word in (process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def guards() -> list[int]:
    """Return the live guards of this test: other processes may be testing, too."""
    private = str(Path(tempfile.gettempdir()) / guard_process.DIRECTORY_PREFIX)
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if any(word.startswith(private) for word in process.info["cmdline"] or ())
        and guard_process.__file__ in process.info["cmdline"]
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


DRIVER = """
import asyncio, json, sys
from tests.helpers.batch_steps import Processes, StepRun, local_step

async def main():
    steps = Processes()
    runs = [StepRun(**run) for run in json.loads(sys.argv[1])]
    await asyncio.gather(*(local_step(run, steps).execute() for run in runs))

asyncio.run(main())
"""


def start_launcher(*codes: str) -> subprocess.Popen[bytes]:
    """Start a process that executes scripts as a launcher does."""
    runs = json.dumps([asdict(step_run(code)) for code in codes])
    launcher = subprocess.Popen([sys.executable, "-c", DRIVER, runs], cwd=TOP, start_new_session=True)
    started_launchers.append(launcher)
    return launcher


def guard_of(launcher: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the guard of a launcher."""
    children = psutil.Process(launcher.pid).children()
    return next(child for child in children if guard_process.__file__ in child.cmdline())
