"""What the batch steps of a launcher share: the watch of each engine, what names the database, and the engine directory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from .batch_step import BatchStep, Watch
from .confirmation import Confirmation
from .control import Control
from .engines import LOCAL, engines
from .engines.interface import ENDED, EngineError, State, Task
from .engines.records import tidy
from .step import StepRun
from .threads import in_thread

if TYPE_CHECKING:
    from .processes import Processes
    from .shortages import Reserve

# What names the database, and no other: the same after a failover, another one in a copy.
PLACE = """
SELECT pg_catalog.to_hex(c.system_identifier) || '-' || d.oid
  FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d WHERE d.datname = current_database()"""
PLACE_OF_ONE = "SELECT d.oid::text FROM pg_catalog.pg_database d WHERE d.datname = current_database()"

FIRST_TIDY_SECONDS, TIDY_SECONDS = 60.0, 3600.0

Note = Callable[[int, str], Awaitable[bool]]


def local_processes(pass_env: Collection[str], reserve: Reserve) -> Processes | None:
    """Return what starts the processes of the engine local; None where that can't be loaded: it needs Linux."""
    if LOCAL not in engines():
        return None
    from .processes import Processes

    return Processes(pass_env, reserve)


class BatchSteps:
    """Makes batch steps, each to be executed on its engine."""

    def __init__(
        self,
        directory: Path,
        output_limit: int,
        processes: Processes | None,
        confirmation: Confirmation,
        note: Note,
    ) -> None:
        """*directory* is --engine-dir; *note* writes down the id that an engine has given to a step (jslid)."""
        self._directory = directory
        self._output_limit = output_limit
        self._processes = processes
        self._confirmation = confirmation
        self._note = note
        self._watches: dict[str, Watch] = {}
        self._place = (
            ""  # what names the database, and no other that shares the engine directory or the engine
        )
        self._booked: list[str] = []
        self._tidy_at: float | None = None

    def step(self, run: StepRun) -> BatchStep:
        """Return the step, to be executed."""
        engine = run.engine or LOCAL
        if engine not in self._watches:
            self._watches[engine] = Watch(engines().get(engine) or Missing(engine))
        task = Task(
            run,
            name=f"pgagent-{self._place}-{run.jobid}-{run.jlgid}-{run.jslid}-{run.handed:x}",
            options=json.loads(run.engine_options or "{}"),
            variables=run.variables,
            directory=self._directory,
            output_limit=self._output_limit,
            processes=self._processes,
            job=run.engine_job or "",
        )
        return BatchStep(task, self._watches[engine], self._confirmation, self._note)

    async def serve(self, control: Control) -> None:
        """Name the tries from now on by the database that *control* leads to."""
        try:
            ((self._place,),) = await control.fetch(PLACE)
        except psycopg.errors.InsufficientPrivilege:
            ((self._place,),) = await control.fetch(PLACE_OF_ONE)

    def booked(self, name: str) -> None:
        """Keep the record of this try no longer than need be: its end is in the log."""
        self._booked.append(name)

    def sweep(self, in_progress: Collection[str]) -> None:
        """Remove, now and then, what batch steps have left: running processes of dead launchers, and files of engines.

        The tries with these names go on.
        """
        if self._processes is not None:
            self._processes.sweep()
        now = asyncio.get_running_loop().time()
        if self._tidy_at is None:
            self._tidy_at = now + FIRST_TIDY_SECONDS
        elif now > self._tidy_at:
            self._tidy_at = now + TIDY_SECONDS
            booked, self._booked = self._booked, []
            in_thread(tidy, self._directory, list(in_progress), booked)


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
