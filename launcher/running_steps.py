"""The steps that this launcher executes now, and the results that are not booked yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from .batch_step import BatchStep
from .processes import Processes
from .sql_pool import SqlPool
from .sql_step import SqlStep
from .step import ABORTED, FAILED, RUNNING, SQL, RunningStep, StepResult, StepRun

logger = logging.getLogger("pgagent_py")

OUTPUT_PAUSE_SECONDS = 2.0  # between two looks at what running steps have written
CANCEL_GRACE_SECONDS = 0.4  # that a step has to stop by itself when its run is cancelled
# Booked in one call: the server takes 1 GB, and needs several times the memory.
BOOKED_CHARACTERS = 16_000_000


class RunningSteps:
    """Starts steps, stops them, and collects their results."""

    def __init__(
        self, pool: SqlPool, processes: Processes, output_limit: int, on_end: Callable[[], None]
    ) -> None:
        """*on_end* is called whenever a step has ended."""
        self._pool = pool
        self._processes = processes
        self._output_limit = output_limit
        self._on_end = on_end
        self._running: dict[int, tuple[StepRun, RunningStep]] = {}  # by jslid
        self._finished: list[StepResult] = []  # not booked yet
        self._tasks: set[asyncio.Task[None]] = set()
        self._shown: dict[int, str] = {}  # by jslid: the output that is in the log
        self._show_at = 0.0

    def __len__(self) -> int:
        """Return how many steps run."""
        return len(self._running)

    @property
    def unbooked(self) -> bool:
        """Whether finished steps are still to be booked."""
        return bool(self._finished)

    def start(self, run: StepRun) -> None:
        """Execute a step, in the background."""
        step: RunningStep
        if run.jstkind == SQL:
            step = SqlStep(run, self._pool, self._output_limit)
        else:
            step = BatchStep(run, self._processes, self._output_limit)
        logger.debug("action=start_step job=%s run=%s step=%s", run.jobid, run.jlgid, run.jstid)
        self._running[run.jslid] = run, step
        task = asyncio.create_task(self._execute(run, step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def resume(self, in_progress: Sequence[StepRun], start: bool) -> None:
        """Compare with the steps that, by the database, are *in_progress* here; *start* those that never arrived."""
        theirs = {run.jslid: run for run in in_progress}
        mine = self._running.keys() | {result.jslid for result in self._finished}
        if start:
            for jslid in theirs.keys() - mine:
                self.start(theirs[jslid])
        for jslid in self._running.keys() - theirs.keys():
            self._running[jslid][1].cancel("The run was closed while the launcher was cut off.")

    def cancel_runs(self, notes: Mapping[int, str]) -> None:
        """Stop the steps of cancelled runs, by jlgid; their end is booked like any other."""
        for run, step in self._running.values():
            if run.jlgid in notes:
                logger.info("action=cancel_run job=%s run=%s step=%s", run.jobid, run.jlgid, run.jstid)
                note = notes[run.jlgid]
                step.cancel(note)
                later = asyncio.get_running_loop().call_later
                later(CANCEL_GRACE_SECONDS, step.cancel, note, ABORTED, True)

    def cancel_all(self, note: str, kill: bool) -> None:
        """Stop all steps."""
        for _, step in self._running.values():
            step.cancel(note, ABORTED, kill)

    def take_results(self) -> list[StepResult]:
        """Return what to book in one call: results, and when these are all, the output of running steps that has grown."""
        count = _fitting(self._finished)
        taken, self._finished = self._finished[:count], self._finished[count:]
        return taken if self._finished else taken + self._grown_output()

    def put_back(self, results: Sequence[StepResult]) -> None:
        """Keep results that could not be booked."""
        self._finished = [result for result in results if result.jslstatus != RUNNING] + self._finished

    def sweep(self) -> None:
        """End, now and then, what batch steps of dead launchers have left running."""
        self._processes.sweep()

    def seconds(self) -> float | None:
        """Return after how long to look at the output of running steps; None when no step runs."""
        return OUTPUT_PAUSE_SECONDS if self._running else None

    async def _execute(self, run: StepRun, step: RunningStep) -> None:
        timer = None
        if run.jobtimeleft is not None:
            later = asyncio.get_running_loop().call_later
            timer = later(
                run.jobtimeleft, step.cancel, "The run was stopped after its job's timeout.", FAILED
            )
        result = await step.execute()
        if timer is not None:
            timer.cancel()
        logger.debug(
            "action=finish_step job=%s run=%s step=%s %s", run.jobid, run.jlgid, run.jstid, result.jslstatus
        )
        del self._running[run.jslid]
        self._shown.pop(run.jslid, None)
        self._finished.append(result)
        self._on_end()

    def _grown_output(self) -> list[StepResult]:
        """Return the output of running steps that has grown since the last look, unless that was just now."""
        now = asyncio.get_running_loop().time()
        if not self._running or now < self._show_at:
            return []
        self._show_at = now + OUTPUT_PAUSE_SECONDS
        grown = []
        for jslid, (run, step) in self._running.items():
            output = step.output_so_far()
            if output and output != self._shown.get(jslid):
                grown.append(StepResult(run.jlgid, jslid, RUNNING, None, output, 0.0))
        del grown[_fitting(grown) :]
        self._shown.update((result.jslid, result.jsloutput) for result in grown)
        return grown


def _fitting(results: Sequence[StepResult]) -> int:
    """Return how many of the results, the first at least, can be booked in one call."""
    sizes = accumulate(len(result.jsloutput) for result in results)
    return sum(size <= BOOKED_CHARACTERS for size in sizes) or min(len(results), 1)
