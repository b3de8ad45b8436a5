"""Batch steps: how one is begun on its engine, watched and stopped. An engine that has to be asked is asked for all at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import psycopg

from .confirmation import Confirmation
from .engines.interface import (
    ENDED,
    RUNNING,
    Engine,
    EngineError,
    NotYetError,
    State,
    Task,
    UnreachableError,
    after,
)
from .log import Event
from .output import with_lines
from .step import ABORTED, FAILED, SUCCEEDED, StepResult

logger = logging.getLogger("pgagent_py")

SUBMIT_PAUSE_SECONDS = 1.0  # between attempts to reach the engine, and to write down the id
OUTPUT_SECONDS = 2.0  # between looks at what a step has written
SUBMISSIONS = 4  # at the same time; and as many cancellations
KILL_SECONDS = 5.0  # from asking a step to end to killing it
# How long an engine that has to be asked may take to end a step whose time is over: it may be away. For the end of a
# cancelled step it is waited.
GIVE_UP_SECONDS = 60.0

NO_ANSWER = "The engine has not said that the step has ended. It may go on there."

# Writes down the id of a step (jslid) in the database; returns whether it is this launcher's.
Note = Callable[[int, str], Awaitable[bool]]


class Watch:
    """Looks at the steps of one engine, as long as there are any, unless the engine tells of their ends by itself."""

    def __init__(self, engine: Engine) -> None:
        """Look at nothing yet."""
        self.engine = engine
        self.asks = engine.LOOK_SECONDS is not None
        self.room: AbstractAsyncContextManager[None] = (
            asyncio.Semaphore(SUBMISSIONS) if self.asks else contextlib.nullcontext()
        )
        self._telling = asyncio.Semaphore(SUBMISSIONS)
        self._steps: dict[str, BatchStep] = {}
        self._looking: asyncio.Task[None] | None = None

    def add(self, step: BatchStep) -> None:
        """Look at this step, too, until it has ended."""
        self._steps[step.task.name] = step
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    def remove(self, step: BatchStep) -> None:
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
            await asyncio.sleep(self.engine.LOOK_SECONDS or 0.0)

    async def _tell(self, step: BatchStep, state: State | None) -> None:
        """Tell a step its state; what goes wrong with one is no matter of the others."""
        async with self._telling:
            try:
                await step.looked(state)
            except UnreachableError as error:
                logger.debug(Event("engine", f"no answer: {error}"))
            except Exception as error:
                logger.exception(Event("engine", f"{type(error).__name__}: {error}"))


class BatchStep:
    """One execution of a batch step."""

    def __init__(self, task: Task, watch: Watch, confirmation: Confirmation, note: Note) -> None:
        """Prepare to execute *task* on the engine of *watch*, when there is a fresh *confirmation*."""
        self.task = task
        self.outlives = watch.engine.OUTLIVES_LAUNCHER
        self.begun = self.outlives  # perhaps by the launcher before
        self._watch = watch
        self._confirmation = confirmation
        self._note = note
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[State] = self._loop.create_future()
        self._event = asyncio.Event()  # the engine has something to tell, or the step is to end
        task.changed, task.may_begin = self._event.set, lambda: confirmation.is_fresh
        self._timers: list[asyncio.TimerHandle] = []
        self._left = False
        self._kill = False
        self._cancel_note, self._cancel_status = "", ""
        self._text, self._changes, self._text_at = "", 0, 0.0

    @property
    def has_no_room(self) -> bool:
        """Whether it waits for a connection: never."""
        return False

    async def execute(self) -> StepResult | None:
        """Run the step to its end and return how it ended; None if it was left to another launcher."""
        run, started = self.task.run, self._loop.time()
        if run.jsttimeout is not None:
            note = f"The step was stopped after its timeout of {run.jsttimeout:g} s."
            self._later(run.jsttimeout, note, FAILED)
        try:
            state = await self._execute()
        except EngineError as error:
            state = State(ENDED, f"Not executed: {error}")
        except Exception as error:
            logger.exception(Event("execute_step", job=run.jobid, run=run.jlgid, step=run.jstid))
            state = State(ENDED, f"Error in the launcher: {type(error).__name__}: {error}")
        finally:
            self._end(State(ENDED))
            self._watch.remove(self)
            for timer in self._timers:
                timer.cancel()
        return None if self._left else await self._result(state, started)

    def cancel(self, note: str, status: str = ABORTED, kill: bool = False) -> None:
        """Let the engine stop the step; the result comes when it has."""
        if self._ended.done():
            return
        if not self._cancel_status:
            self._cancel_note, self._cancel_status = note, status
            self._later(KILL_SECONDS, note, status, True)
        self.task.cancelled = True
        self._kill |= kill
        self._event.set()
        if status == FAILED and self._watch.asks:
            self._timers.append(self._loop.call_later(GIVE_UP_SECONDS, self._end, State(ENDED, NO_ANSWER)))

    def leave(self) -> None:
        """Watch it no more: it goes on without this launcher."""
        self._left = True
        self._event.set()
        self._end(State(ENDED))

    def output_size(self) -> int:
        """Return a number that grows when there is more of it."""
        return self._changes + len(self.task.stdout) + len(self.task.stderr)

    def output_so_far(self) -> str:
        """Return what it has written until now, or what it waits for."""
        return self._text or self.task.text()

    async def looked(self, state: State | None) -> None:
        """Take note of what the engine has said."""
        if state is not None and state.phase == ENDED:
            self._end(state)
            return
        if self.task.cancelled and not self._left:
            await self._watch.engine.cancel(self.task, self._kill)
        if state is None or not self._watch.asks or self._loop.time() < self._text_at:
            return
        self._text_at = self._loop.time() + OUTPUT_SECONDS
        output = await self._watch.engine.output(self.task) if state.phase == RUNNING else ""
        self._show(with_lines(output, state.note))

    def _later(self, seconds: float, *arguments: Any) -> None:
        """Call `cancel` then, unless it has ended."""
        self._timers.append(self._loop.call_later(seconds, self.cancel, *arguments))

    def _show(self, text: str) -> None:
        if text != self._text:
            self._text = text
            self._changes += 1

    def _end(self, state: State) -> None:
        if not self._ended.done():
            self._ended.set_result(state)

    async def _result(self, state: State, started: float) -> StepResult:
        run, task = self.task.run, self.task
        seconds = self._loop.time() - started
        lost = task.stdout.lost or task.stderr.lost
        status = self._cancel_status or (SUCCEEDED if state.code == 0 and not lost else FAILED)
        why = self._cancel_note or state.note or task.stderr.first_line() or f"exit status {state.code}"
        text = with_lines(await self._output(), state.note, self._cancel_note)
        return StepResult(run.jlgid, run.jslid, status, state.code, text, seconds, error=why)

    async def _output(self) -> str:
        """Return all that it has written, or what was seen of it last."""
        try:
            return await self._watch.engine.output(self.task)
        except MemoryError:
            raise
        except Exception:
            return self._text
        finally:
            self.task.kept = None  # it may refer to the task, and the task has much memory

    async def _execute(self) -> State:
        if not self.task.job:
            await self._submit()
        if self._left:
            return State(ENDED)
        if self._watch.asks:
            self._watch.add(self)
            return await self._ended
        try:
            return await self._follow()
        except asyncio.CancelledError:  # the launcher ends, and the step with it
            self.cancel("", kill=True)
            await self._follow()
            raise

    async def _follow(self) -> State:
        """Look at it when the engine has something to tell, and when it is to end, until it has ended."""
        while True:
            try:
                states = await self._watch.engine.look([self.task])
                await self.looked(states.get(self.task.name))
            except (UnreachableError, OSError, MemoryError) as error:
                logger.debug(Event("engine", f"no answer: {error or type(error).__name__}"))
                self._loop.call_later(SUBMIT_PAUSE_SECONDS, self._event.set)
            if self._ended.done():
                return self._ended.result()
            await self._event.wait()
            self._event.clear()

    async def _submit(self) -> None:
        """Hand the step to the engine, and write down what it is called there before anything else.

        A cancelled one is not handed over. It may have been before: `cancel` sees to it that it ends, or never begins.
        """
        while not (self._left or self.task.cancelled or self.task.job):
            try:
                await self._hand_over()
            except EngineError:
                raise
            except NotYetError as error:
                self.begun = self.outlives
                await self._wait(error.until)
            except Exception as error:
                if not self.outlives and not isinstance(error, UnreachableError):
                    raise
                # What an engine that others share has begun does not end with an error here.
                self._show(f"Waiting for the engine: {error or type(error).__name__}")
                await self._wait(after(SUBMIT_PAUSE_SECONDS))
        while self.outlives and self.task.job and not self._left:
            with contextlib.suppress(psycopg.Error):  # the launcher is about to connect again
                if await self._note(self.task.run.jslid, self.task.job):
                    return
            if self.task.cancelled:
                return
            await self._wait(after(SUBMIT_PAUSE_SECONDS))

    async def _hand_over(self) -> None:
        """Hand the step to the engine, if the server has said just now that the agent is there, or wait until it says so."""
        if not self._confirmation.is_fresh:
            confirmed = self._confirmation.wait()
            await self._wait(confirmed)
            confirmed.cancel()
            return
        async with self._watch.room:
            if not (self._left or self.task.cancelled):
                self.begun = True
                self.task.job = await self._watch.engine.submit(self.task)

    async def _wait(self, future: asyncio.Future[Any]) -> None:
        """Wait for something that must be done before the step begins, but not if it is to end."""
        stop: asyncio.Future[Any] = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait([future, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        self._event.clear()
