"""Steps on engines: how one is begun, watched and stopped. All steps of an engine are looked at in one go."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg

from .confirmation import Confirmation
from .engines.interface import ENDED, RUNNING, Engine, EngineError, State, Task, UnreachableError
from .log import Event
from .output import with_lines
from .step import ABORTED, FAILED, SUCCEEDED, StepResult, StepRun

logger = logging.getLogger("pgagent_py")

SUBMIT_PAUSE_SECONDS = 1.0  # between attempts to reach the engine, and to write down the id
OUTPUT_SECONDS = 2.0  # between looks at what a step has written
SUBMISSIONS = 4  # at the same time; and as many cancellations
KILL_SECONDS = 5.0  # from asking a step to end to killing it, as for a local one
# How long an engine has to end a step whose time is over: it may be away. For the end of a cancelled step it is waited.
GIVE_UP_SECONDS = 60.0

NO_ANSWER = "The engine has not said that the step has ended. It may go on there."

# Writes down the id of a step (jslid) in the database; returns whether it is this launcher's.
Note = Callable[[int, str], Awaitable[bool]]


class Watch:
    """Looks at the steps of one engine, as long as there are any."""

    def __init__(self, engine: Engine) -> None:
        """Look at nothing yet."""
        self.engine = engine
        self.room = asyncio.Semaphore(SUBMISSIONS)
        self._telling = asyncio.Semaphore(SUBMISSIONS)
        self._steps: dict[str, EngineStep] = {}
        self._looking: asyncio.Task[None] | None = None

    def add(self, step: EngineStep) -> None:
        """Look at this step, too, until it has ended."""
        self._steps[step.task.name] = step
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    def remove(self, step: EngineStep) -> None:
        """Look at it no more."""
        self._steps.pop(step.task.name, None)

    async def _look(self) -> None:
        while self._steps:
            steps = dict(self._steps)
            try:
                states = await self.engine.look([step.task for step in steps.values()])
            except UnreachableError as error:
                logger.debug(Event("engine", f"no answer: {error}"))
                states = {}
            except Exception as error:
                logger.exception(Event("engine", f"{type(error).__name__}: {error}"))
                states = {}
            await asyncio.gather(*(self._tell(step, states.get(name)) for name, step in steps.items()))
            await asyncio.sleep(self.engine.LOOK_SECONDS)

    async def _tell(self, step: EngineStep, state: State | None) -> None:
        """Tell a step its state; what goes wrong with one is no matter of the others."""
        async with self._telling:
            try:
                await step.looked(state)
            except UnreachableError as error:
                logger.debug(Event("engine", f"no answer: {error}"))
            except Exception as error:
                logger.exception(Event("engine", f"{type(error).__name__}: {error}"))


class EngineStep:
    """One execution of a batch step on an engine."""

    def __init__(
        self,
        run: StepRun,
        watch: Watch,
        directory: Path,
        output_limit: int,
        confirmation: Confirmation,
        note: Note,
        place: str,
    ) -> None:
        """Prepare to execute *run*; what is kept on the way is below *directory*. *place*: what names the database."""
        self.task = Task(
            run,
            name=f"pgagent-{place}-{run.jobid}-{run.jlgid}-{run.jslid}-{run.handed:x}",
            options=json.loads(run.engine_options or "{}"),
            variables=run.variables,
            directory=directory,
            output_limit=output_limit,
            job=run.engine_job or "",
        )
        self.outlives = watch.engine.OUTLIVES_LAUNCHER
        self.begun = True  # by this launcher or by the one before
        self._run = run
        self._watch = watch
        self._confirmation = confirmation
        self._note = note
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[State] = self._loop.create_future()
        self._stop = asyncio.Event()
        self._left = False
        self._kill = False
        self._submitting = False
        self._cancel_note, self._cancel_status = "", ""
        self._text, self._changes, self._text_at = "", 0, 0.0

    @property
    def has_no_room(self) -> bool:
        """Whether it waits for a connection: never."""
        return False

    async def execute(self) -> StepResult | None:
        """Run the step to its end and return how it ended; None if it was left to another launcher."""
        run, started = self._run, self._loop.time()
        timer = None
        if run.jsttimeout is not None:
            note = "The step was stopped after its timeout."
            timer = self._loop.call_later(run.jsttimeout, self.cancel, note, FAILED)
        try:
            state = await self._execute()
        except EngineError as error:
            state = State(ENDED, f"Not executed: {error}")
        except Exception as error:
            logger.exception(Event("execute_step", job=run.jobid, run=run.jlgid, step=run.jstid))
            state = State(ENDED, f"Error in the launcher: {type(error).__name__}: {error}")
        finally:
            if timer is not None:
                timer.cancel()
            self._watch.remove(self)
        if self._left:
            return None
        with contextlib.suppress(Exception):
            self._text = await self._watch.engine.output(self.task)
        status = self._cancel_status or (SUCCEEDED if state.code == 0 else FAILED)
        text = with_lines(self._text, state.note, self._cancel_note)
        return StepResult(run.jlgid, run.jslid, status, state.code, text, self._loop.time() - started)

    def cancel(self, note: str, status: str = ABORTED, kill: bool = False) -> None:
        """Let the engine stop the step; the result comes when it has."""
        if not self._cancel_status:
            self._cancel_note, self._cancel_status = note, status
            self._loop.call_later(KILL_SECONDS, self.cancel, note, status, True)
        self.task.cancelled = True
        self._kill |= kill
        self._stop.set()
        if status == FAILED:
            self._loop.call_later(GIVE_UP_SECONDS, self._end, State(ENDED, NO_ANSWER))

    def leave(self) -> None:
        """Watch it no more: it goes on without this launcher."""
        self._left = True
        self._stop.set()
        self._end(State(ENDED))

    def output_size(self) -> int:
        """Return a number that grows when there is more of it."""
        return self._changes

    def output_so_far(self) -> str:
        """Return what it has written until now, or what it waits for."""
        return self._text

    async def looked(self, state: State | None) -> None:
        """Take note of what the engine has said."""
        if state is not None and state.phase == ENDED:
            self._end(state)
            return
        if self.task.cancelled and not self._left:
            await self._watch.engine.cancel(self.task, self._kill)
        if state is None or self._loop.time() < self._text_at:
            return
        self._text_at = self._loop.time() + OUTPUT_SECONDS
        output = await self._watch.engine.output(self.task) if state.phase == RUNNING else ""
        self._show(with_lines(output, state.note))

    def _show(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self._changes += 1

    def _end(self, state: State) -> None:
        if not self._ended.done():
            self._ended.set_result(state)

    async def _execute(self) -> State:
        if not self.task.job:
            await self._confirmed()
            await self._submit()
        if self._left:
            return State(ENDED)
        self._watch.add(self)
        return await self._ended

    async def _confirmed(self) -> None:
        """Wait until the server has said just now that the agent is there, or the step is to begin no more."""
        if self._confirmation.is_fresh:
            return
        confirmed = self._confirmation.wait()
        stop = asyncio.ensure_future(self._stop.wait())
        stop.add_done_callback(lambda _: confirmed.cancel())
        await asyncio.wait([confirmed])
        stop.cancel()

    async def _submit(self) -> None:
        """Hand the step to the engine, and write down what it is called there before anything else.

        A cancelled one is not handed over. It may have been before: `cancel` sees to it that it ends, or never begins.
        """
        while not (self._left or self.task.cancelled or self.task.job):
            try:
                async with self._watch.room:
                    if not (self._left or self.task.cancelled):
                        self.task.job = await self._watch.engine.submit(self.task)
            except EngineError:
                raise
            except Exception as error:
                if not self.outlives and not isinstance(error, UnreachableError):
                    raise
                # What an engine that others share has begun does not end with an error here.
                self._show(f"Waiting for the engine: {error or type(error).__name__}")
                await self._pause()
        while self.outlives and self.task.job and not self._left:
            with contextlib.suppress(psycopg.Error):  # the launcher is about to connect again
                if await self._note(self._run.jslid, self.task.job):
                    return
            if self.task.cancelled:
                return
            await self._pause()

    async def _pause(self) -> None:
        """Wait a while, but not if the step is to end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), SUBMIT_PAUSE_SECONDS)
