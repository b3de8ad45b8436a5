"""The steps that this launcher executes now, and the results that are not booked yet."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from .batch_step import BatchStep
from .batch_steps import BatchSteps
from .confirmation import Confirmation
from .log import Event
from .refused_steps import RefusedSteps
from .running import Running
from .shortages import NO_MEMORY
from .sql_pool import SqlPool
from .sql_step import SqlStep
from .step import (
    ABORTED,
    FAILED,
    RUNNING,
    SQL,
    SUCCEEDED,
    WORDS,
    RunName,
    RunningStep,
    StepResult,
    StepRun,
    Try,
    fitting,
)
from .tries import Tries
from .workers import Workers

logger = logging.getLogger("pgagent_py")

OUTPUT_PAUSE_SECONDS = 2.0  # between two looks at what running steps have written
ADOPT_SECONDS = 30.0  # that a step goes on whose run the new primary knows, but not yet as far as this step
MOST_FAILED = 10_000  # steps whose failure is known to be in the log
CANCEL_GRACE_SECONDS = 0.4  # that a step has to stop by itself when its run is cancelled
# Of several results in one call, and of one: the server needs 13 times the memory. When memory is short it is less.
BOOKED_TOGETHER, BOOKED_CHARACTERS, FEWEST_BOOKED_CHARACTERS = 2_000_000, 16_000_000, 250_000


class RunningSteps:
    """Starts steps, stops them, and collects their results."""

    def __init__(
        self,
        pool: SqlPool,
        batch_steps: BatchSteps,
        workers: Workers,
        confirmation: Confirmation,
        output_limit: int,
        on_end: Callable[[], None],
    ) -> None:
        """No step begins without a fresh *confirmation*. *on_end* is called whenever a step has ended."""
        self._pool = pool
        pool.on_no_room = on_end
        self._batch_steps = batch_steps
        self.workers = workers
        self._confirmation = confirmation
        self._output_limit = output_limit
        self._on_end = on_end
        self._running: dict[Try, Running] = {}
        self._finished: dict[Try, StepResult] = {}  # not booked yet
        self._tries = Tries()
        self._tasks: set[asyncio.Task[None]] = set()
        self._records: dict[Try, str] = {}  # the names of tries whose engine keeps a record of them
        self._shown: dict[Try, int] = {}  # how much of the output is in the log
        self._most = BOOKED_CHARACTERS
        self._show_at = 0.0
        self.trace_start: Callable[[StepRun], StepRun] = lambda run: run
        self.trace_end: Callable[[StepRun, StepResult | None], None] = lambda *_: None
        self.ended: Counter[str] = Counter()  # by status
        self._refused = RefusedSteps()
        self.failed: dict[int, None] = {}  # steps (jslid) whose failure is in the log, oldest first

    def __len__(self) -> int:
        """Return how many steps run."""
        return len(self._running)

    def connecting(self) -> list[int]:
        """Return the steps (jslid) that wait because their server, or a limit of their role, has no room for a connection."""
        return [
            running.run.jslid
            for running in self._running.values()
            if running.wanted and running.step.has_no_room
        ]

    def refused(self) -> dict[int, str]:
        """Return the steps (jstid) that could not connect when they were tried last, or can't yet, and why."""
        return self._refused.look((running.run, running.step) for running in self._running.values())

    @property
    def places(self) -> int:
        """Return how many steps have a worker, of those that the server knows of."""
        return sum(
            running.wanted and not running.lasts and not running.waits for running in self._running.values()
        )

    @property
    def lasting(self) -> int:
        """Return how many steps run that go on without this launcher."""
        return sum(running.lasts for running in self._running.values())

    def leave(self) -> None:
        """Watch no more the steps that go on without this launcher."""
        for running in self._running.values():
            if isinstance(running.step, BatchStep) and running.lasts:
                running.step.leave()

    @property
    def unbooked(self) -> bool:
        """Whether finished steps are still to be booked."""
        return bool(self._finished)

    def start(self, run: StepRun) -> None:
        """Execute a step, in the background; what is known to have been executed is only reported."""
        if self._adopt(run):
            return
        if result := self._tries.ended([run]).get(run.id):
            logger.warning(Event("repeat_result", **run.names))
            self._finished[run.id] = result
            self._on_end()
            return
        run = self.trace_start(run)
        step: RunningStep
        lasts = False
        if run.jstkind == SQL:
            step = SqlStep(run, self._pool, self._output_limit, self._confirmation)
        else:
            step = self._batch_steps.step(run)
            if lasts := step.outlives:
                self._records[run.id] = step.task.name
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(Event("start_step", **run.names))
        running = self._running[run.id] = Running(run, step, lasts)
        if run.ahead and not lasts:
            running.waiting = self.workers.wait(run)
        elif not lasts:
            self.workers.began()
        task = asyncio.create_task(self._execute(running))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def resume(self, in_progress: Sequence[StepRun], runs: Collection[RunName], start: bool) -> None:
        """Compare with the steps and *runs* that, by the database, are in progress here; *start* those that never arrived.

        It may be another database than before the connection was lost: a standby that became the primary, and that knows less
        of what was booked. Ended steps are reported again, also those that it has still to hand out.
        """
        self._tries.look_back()
        theirs = {run.id: run for run in in_progress}
        self._finished = {id_: result for id_, result in self._finished.items() if id_ in theirs}
        self._records = {
            id_: name for id_, name in self._records.items() if id_ in self._running or id_ in theirs
        }
        unknown = [
            run for id_, run in theirs.items() if id_ not in self._running and id_ not in self._finished
        ]
        ended = self._tries.ended(unknown)
        self._finished |= ended
        for id_, running in list(self._running.items()):
            if id_ not in theirs:
                running.wanted = False
                running.behind = running.step.begun and running.run.run_name in runs
                if running.behind:
                    asyncio.get_running_loop().call_later(ADOPT_SECONDS, self._close, running)
                else:
                    self._close(running)
        if start:
            for run in unknown:
                if run.id not in ended:
                    self.start(run)

    def _adopt(self, run: StepRun) -> bool:
        """Let a step go on that is handed out again because the server has forgotten that it runs; return whether it does."""
        for id_, running in self._running.items():
            if running.behind and run.repeats(running.run):
                running.run, running.wanted, running.behind = run, True, False
                self._running[run.id] = self._running.pop(id_)
                if id_ in self._records:
                    self._records[run.id] = self._records.pop(id_)
                return True
        return False

    def _close(self, running: Running) -> None:
        """Stop a step of a run that is closed."""
        if not running.wanted:
            running.behind = False
            if isinstance(running.step, BatchStep) and running.lasts:
                running.step.leave()  # another launcher has it, and this one may get it back
                self._forget(running)
                return
            running.cancel("The run was closed while the launcher was cut off.")

    def _forget(self, running: Running) -> None:
        id_ = running.run.id
        if self._running.get(id_) is running:
            del self._running[id_]
            self._shown.pop(id_, None)
            self._records.pop(id_, None)

    def close(self) -> None:
        """Give back the memory of tries."""
        self._tries = Tries()

    def cancel_runs(self, notes: Mapping[int, str]) -> None:
        """Stop the steps of cancelled runs, by jlgid; their end is booked like any other."""
        for running in self._running.values():
            run = running.run
            if run.jlgid in notes:
                logger.info(Event("cancel_run", **run.names))
                note = notes[run.jlgid]
                running.cancel(note)
                later = asyncio.get_running_loop().call_later
                later(CANCEL_GRACE_SECONDS, running.cancel, note, ABORTED, True)

    def cancel_all(self, note: str, kill: bool) -> None:
        """Stop all steps."""
        for running in self._running.values():
            if not running.lasts:
                running.cancel(note, ABORTED, kill)

    def take_results(self) -> list[StepResult]:
        """Return what to book in one call: results, and when these are all, the output of running steps that has grown."""
        finished = list(self._finished.values())
        taken = finished[: fitting(finished, min(self._most, BOOKED_TOGETHER))]
        grown = self._grown_output() if len(taken) == len(finished) else []
        for result in taken:
            del self._finished[result.id]
        return [self._cut(result) for result in taken] + grown

    def book_less(self) -> None:
        """Book less in one call from now on: there was no memory for as much."""
        self._most = max(self._most // 2, FEWEST_BOOKED_CHARACTERS)

    def _cut(self, result: StepResult) -> StepResult:
        """Return a result that can be booked with the memory that there is."""
        if len(result.jsloutput) <= self._most:
            return result
        half = self._most // 2
        output = f"{result.jsloutput[:half]}\n[... cut for want of memory ...]\n{result.jsloutput[-half:]}"
        return replace(result, jsloutput=output)

    def put_back(self, results: Sequence[StepResult]) -> None:
        """Keep results that could not be booked."""
        kept = {result.id: result for result in results if result.jslstatus != RUNNING}
        self._finished = kept | self._finished

    def booked(self, results: Sequence[StepResult]) -> None:
        """Take note that the server has these results."""
        for result in results:
            if result.jslstatus != RUNNING and result.id in self._records:
                self._batch_steps.booked(self._records.pop(result.id))

    def sweep(self) -> None:
        """Remove, now and then, what batch steps have left."""
        self._batch_steps.sweep(self._records.values())

    def seconds(self) -> float | None:
        """Return after how long to look at the output of running steps; None when no step runs."""
        return OUTPUT_PAUSE_SECONDS if self._running else None

    async def _execute(self, running: Running) -> None:
        run, step = running.run, running.step
        timer = None
        if run.jobtimeleft is not None:
            later = asyncio.get_running_loop().call_later
            timer = later(
                run.jobtimeleft, running.cancel, "The run was stopped after its job's timeout.", FAILED
            )
        result = None
        handed_back = running.waiting is not None and not await running.waiting.turn
        try:
            if not handed_back:
                result = await step.execute()
        except MemoryError:
            result = StepResult(run.jlgid, run.jslid, FAILED, -1, NO_MEMORY, 0.0, error=NO_MEMORY)
        finally:
            if timer is not None:
                timer.cancel()
            if not (running.lasts or handed_back):
                self.workers.ended()
        self.trace_end(run, result)
        run = running.run  # it may have been handed out again
        self._refused.note(run, step)
        if result is None:  # it was handed back, or left to another launcher
            self._forget(running)
            self._on_end()
            return
        del self._running[run.id]
        self._shown.pop(run.id, None)
        self._log_end(run, result)
        self._end(running, result)

    def _end(self, running: Running, result: StepResult) -> None:
        """Keep the result of a step that has ended, and remember it, if it may have done anything, wanted or not."""
        run = running.run
        result.jslid, result.handed = run.id
        if running.wanted:
            self._finished[run.id] = result
        self._on_end()
        if running.wanted or running.step.begun:
            self._tries.note(run, result)  # last: there may be no memory to encode what it has written
        if running.behind:
            self._tries.look_back()

    def _log_end(self, run: StepRun, result: StepResult) -> None:
        """Log how a step has ended. A failure is a warning, also if the job goes on after it."""
        self.ended[WORDS[result.jslstatus]] += 1
        level = logging.DEBUG
        if result.jslstatus != SUCCEEDED:
            level = logging.WARNING
            self.failed[run.jslid] = None
            while len(self.failed) > MOST_FAILED:
                del self.failed[next(iter(self.failed))]
        if logger.isEnabledFor(level):
            names = run.names | {
                "status": WORDS[result.jslstatus],
                "seconds": round(result.jslduration, 3),
            }
            logger.log(level, Event("finish_step", result.error, **names))

    def _grown_output(self) -> list[StepResult]:
        """Return the output of running steps that has grown since the last look, unless that was just now."""
        now = asyncio.get_running_loop().time()
        if not self._running or now < self._show_at:
            return []
        self._show_at = now + OUTPUT_PAUSE_SECONDS
        grown, left = list[StepResult](), min(self._most, BOOKED_TOGETHER)
        for id_, running in list(self._running.items()):
            size = running.step.output_size()
            if running.wanted and size > self._shown.get(id_, 0):
                output = running.step.output_so_far()
                left -= len(output)
                if left < 0 and grown:
                    break
                self._running[id_] = self._running.pop(id_)  # next time the others come first
                self._shown[id_] = size
                grown.append(StepResult(running.run.jlgid, id_[0], RUNNING, None, output, 0.0, id_[1]))
        return grown
