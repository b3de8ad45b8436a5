"""The loop: book what has ended, take what is due, execute it, sleep until the next event."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from itertools import accumulate
from uuid import uuid4

import psycopg

from .batch_step import BatchStep
from .conninfo import control_conninfo, server_conninfo
from .control import Control
from .handshake import CannotServeError
from .options import Options
from .processes import Processes
from .refusals import is_mistake
from .sql_pool import SqlPool
from .sql_step import SqlStep
from .step import RunningStep, StepResult, StepRun
from .systemd import notify_systemd
from .upkeep import Upkeep

logger = logging.getLogger("pgagent_py")

LONGEST_SLEEP = 30.0  # seconds; the trigger pgagent_py_notify_due counts on it
LATE = 0.001  # seconds that a timer is set late, so that the job is due when it rings
BRIEF = 0.003  # seconds in which a step may well end, so that it is too soon to ask how long to sleep
# Seconds between looks at a due job that the last turn has not taken: the first at once, for it may have fallen due since.
OVERDUE_FIRST, OVERDUE_LONGEST = 0.05, 1.0
# Seconds between attempts to connect; the longest while steps are running, when others may miss this launcher.
BACKOFF_FIRST, BACKOFF_BUSY = 0.05, 1.0
BOOK_AT_ONCE = 16_000_000  # characters of output booked in one call: the server takes 1 GB, and needs several times the memory
OUTPUT_EVERY = 2.0  # seconds between two looks at what running steps have written
CANCEL_PATIENCE = 0.4  # seconds that a step has to stop by itself when its run is cancelled
KILL_AFTER = 3.0  # seconds from asking a step to stop to killing it
GIVE_UP_BOOKING = 10.0  # seconds more that a stopping launcher tries to book what it has
GIVE_UP_HURRIED = 2.0  # the same when told twice
LAST_ANSWER = 2.0  # seconds more for the server to answer what it was asked last

HOPELESS = (CannotServeError, psycopg.ProgrammingError)


class Launcher:
    """One launcher process: serves one database until it is told to stop."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.agent = uuid4()
        self.running: dict[int, tuple[StepRun, RunningStep]] = {}  # by jslid
        self.finished: list[StepResult] = []  # not booked yet
        self.stopping = False
        self._hurry = False
        self._event = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._shown: dict[int, str] = {}
        self._show_at = 0.0
        self._overdue = 0.0
        self._pause = BACKOFF_FIRST
        self._control: Control | None = None
        self._conninfo = control_conninfo(server_conninfo(options.conninfo))
        self._sql = SqlPool(server_conninfo(options.conninfo), options.workers)
        self._batch = Processes()
        self._upkeep = Upkeep(options.smtp, self._event.set)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; a lost connection is made anew. Raises CannotServeError."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        try:
            await self._keep_serving()
        finally:
            await self._sql.close()
            await self._batch.close()
            await self._upkeep.close()

    async def _keep_serving(self) -> None:
        known = False
        while not self._hurry and (known or not self.stopping):  # once registered, it must say that it leaves
            try:
                control = self._control = await Control.connect(self._conninfo, self._event.set)
                try:
                    if self._hurry:
                        return
                    await control.start_agent(self.agent, self.options.station, known)
                    known = True
                    await self._serve(control)
                    return
                finally:
                    await control.close()
            except (psycopg.Error, CannotServeError) as error:
                words = str(error).strip()
                if not known and (isinstance(error, HOPELESS) or is_mistake(words)):
                    raise CannotServeError(words) from error
                if self._hurry:
                    logger.error("action=stop giving up: %s", words)
                    return
                level = logging.ERROR if self._pause == BACKOFF_FIRST else logging.WARNING  # each outage once
                logger.log(level, "action=connect trying again in %.2g s: %s", self._pause, words)
            notify_systemd("READY=1\nSTATUS=Waiting for the server")  # ready to serve it when it comes
            # What is kept warm may be the room that is missing, or lead to a server that is no longer the primary.
            self._sql.close_idle()
            self._event.clear()
            if self.stopping:
                self._pause = min(self._pause, BACKOFF_BUSY)
                if not self.running and not self.finished:
                    asyncio.get_running_loop().call_later(GIVE_UP_HURRIED, self._give_up)
            if known or not self.stopping:
                await self._sleep(self._pause)
            longest = BACKOFF_BUSY if self.running else max(self.options.retry, BACKOFF_BUSY)
            self._pause = min(self._pause * 2, longest)

    async def _serve(self, control: Control) -> None:
        """Serve over this connection until told to stop; psycopg.Error when it is lost."""
        await self._resume(control)
        logger.info("action=serve agent=%s extension=%s", self.agent, await control.version())
        notify_systemd("READY=1\nSTATUS=Serving")
        while not self._is_done():
            self._event.clear()
            control.check()
            if control.cancel_asked:
                await self._cancel_runs(control)
            self._batch.sweep()
            free = await self._turn(control)
            self._pause = BACKOFF_FIRST
            await self._upkeep.turn(control, idle=not self._event.is_set(), stopping=self.stopping)
            if not self._event.is_set() and not self._is_done():
                await self._wait(control, free)
            if self._hurry:
                break
        await control.stop_agent()

    def _is_done(self) -> bool:
        return self.stopping and not self.running and not self.finished and not self._upkeep.busy

    async def _resume(self, control: Control) -> None:
        """Compare what the database says is in progress here with what is."""
        theirs = {run.jslid: run for run in await control.steps_in_progress()}
        mine = self.running.keys() | {result.jslid for result in self.finished}
        if not self.stopping:
            for jslid in theirs.keys() - mine:
                self._start(theirs[jslid])  # its handing out was lost on the way, so it never started
        for jslid in self.running.keys() - theirs.keys():
            self.running[jslid][1].cancel("The run was closed while the launcher was cut off.")

    async def _cancel_runs(self, control: Control) -> None:
        """Stop the steps of runs that somebody has cancelled; their end is booked as any other."""
        notes = await control.cancelled_runs()
        for run, step in self.running.values():
            if run.jlgid in notes:
                logger.info("action=cancel_run job=%s run=%s step=%s", run.jobid, run.jlgid, run.jstid)
                note = notes[run.jlgid]
                step.cancel(note)
                asyncio.get_running_loop().call_later(CANCEL_PATIENCE, step.cancel, note, "d", True)

    async def _turn(self, control: Control) -> int:
        """Book what has ended, start what is handed out; return how many more steps could be executed."""
        free = 0 if self.stopping else self.options.workers - len(self.running)
        count = _fitting(self.finished)
        finished, self.finished = self.finished[:count], self.finished[count:]
        shown = self._output_so_far() if not self.finished else []
        if not free and not finished and not shown:
            return free
        try:
            runs = await control.run_due(free, finished + shown)
        except BaseException:
            self.finished = finished + self.finished
            raise
        for run in runs:
            self._start(run)
        if runs:
            self._overdue = 0.0
        if self.finished:
            self._event.set()  # the rest at once
        return free - len(runs)

    async def _wait(self, control: Control, free: int) -> None:
        """Sleep until a step ends, a job is due, the launcher is notified or told to stop."""
        if self.running:
            await self._sleep(BRIEF)
            if self._event.is_set():
                return
        seconds = min(self.options.poll, LONGEST_SLEEP, self._upkeep.seconds())
        if free > 0 and not self.stopping:
            wake = await control.next_wake()
            if wake is not None and wake <= 0:
                wake, self._overdue = (
                    self._overdue,
                    min(max(self._overdue * 2, OVERDUE_FIRST), OVERDUE_LONGEST),
                )
            if wake is not None:
                seconds = min(seconds, wake + LATE)
        if self.running:
            seconds = min(seconds, OUTPUT_EVERY)
        await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass

    def _start(self, run: StepRun) -> None:
        limit = self.options.output_limit
        step: RunningStep = (
            SqlStep(run, self._sql, limit) if run.jstkind == "s" else BatchStep(run, self._batch, limit)
        )
        logger.debug("action=start_step job=%s run=%s step=%s", run.jobid, run.jlgid, run.jstid)
        self.running[run.jslid] = run, step
        task = asyncio.create_task(self._execute(run, step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _execute(self, run: StepRun, step: RunningStep) -> None:
        timer = None
        if run.jobtimeleft is not None:
            later = asyncio.get_running_loop().call_later
            timer = later(run.jobtimeleft, step.cancel, "The run was stopped after its job's timeout.", "f")
        result = await step.execute()
        if timer is not None:
            timer.cancel()
        logger.debug(
            "action=finish_step job=%s run=%s step=%s %s", run.jobid, run.jlgid, run.jstid, result.jslstatus
        )
        del self.running[run.jslid]
        self._shown.pop(run.jslid, None)
        self.finished.append(result)
        self._event.set()

    def _output_so_far(self) -> list[StepResult]:
        """Return the output of running steps that has grown since the last look, as results in status r."""
        now = asyncio.get_running_loop().time()
        if not self.running or now < self._show_at:
            return []
        self._show_at = now + OUTPUT_EVERY
        grown = []
        for jslid, (run, step) in self.running.items():
            output = step.output_so_far()
            if output and output != self._shown.get(jslid):
                grown.append(StepResult(run.jlgid, jslid, "r", None, output, 0.0))
        del grown[_fitting(grown) :]
        self._shown.update((result.jslid, result.jsloutput) for result in grown)
        return grown

    def stop(self) -> None:
        """Take no more jobs; end when the running steps have ended or their time is up. A second call hurries."""
        if self.stopping:
            self._cancel_all("The launcher was told twice to stop.", True)
            asyncio.get_running_loop().call_later(GIVE_UP_HURRIED, self._give_up)
        else:
            logger.warning("action=stop steps in progress: %d", len(self.running))
            notify_systemd("STOPPING=1")
            self.stopping = True
            note = "The launcher was told to stop."
            later = asyncio.get_running_loop().call_later
            later(self.options.grace, self._cancel_all, note, False)
            later(self.options.grace + KILL_AFTER, self._cancel_all, note, True)
            later(self.options.grace + KILL_AFTER + GIVE_UP_BOOKING, self._give_up)
        self._event.set()

    def _cancel_all(self, note: str, kill: bool) -> None:
        for _, step in self.running.values():
            step.cancel(note, "d", kill)
        self._upkeep.cancel()

    def _give_up(self) -> None:
        """The server can't be reached: another agent will close what this one has not booked."""
        self._hurry = True
        self._event.set()
        asyncio.get_running_loop().call_later(LAST_ANSWER, self._cut)

    def _cut(self) -> None:
        if self._control is not None:
            logger.error("action=stop the server does not answer")
            self._control.cut()


def _fitting(results: Sequence[StepResult]) -> int:
    """Return how many of the results, the first at least, can be booked in one call."""
    sizes = accumulate(len(result.jsloutput) for result in results)
    return sum(size <= BOOK_AT_ONCE for size in sizes) or min(len(results), 1)
