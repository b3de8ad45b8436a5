"""The agent: what a database knows this launcher by. It keeps its runs through lost connections, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
from psycopg import pq

from .batch_steps import BatchSteps, local_processes
from .confirmation import Confirmation
from .conninfo import control_conninfo, hide_mistyped, server_conninfo
from .control import Control
from .draining import Draining
from .engines import known_engines
from .handshake import CannotServeError
from .log import Event
from .loop import Loop, wait_for_event
from .options import Options
from .places import Places
from .primary import STANDBY, PrimarySearch
from .refusals import is_mistake, is_shortage, may_pass, ping
from .report import Report
from .running_steps import RunningSteps
from .sender import Sender
from .shortages import RESERVED, Reserve
from .side_task import SideTask
from .sql_pool import SqlPool
from .stopping import Stopping
from .systemd import notify_systemd
from .threads import in_thread
from .upkeep import Upkeep
from .vitals import Vitals
from .workers import Workers

if TYPE_CHECKING:
    from .watching.traces import Traces

logger = logging.getLogger("pgagent_py")

# Between the beginnings of attempts to connect, at most: launchers that lost the same server do not all come at once.
# While steps are running it must not be long: other launchers may miss this one.
FIRST_PAUSE_SECONDS, BUSY_PAUSE_SECONDS = 0.05, 1.0
SHORTEST_PAUSE_SECONDS = 0.02  # from the end of an attempt, however long it took
MOST_DOUBTS = 15  # attempts, in about ten seconds
LOOK_SECONDS = 1.0  # for an answer, before the next attempt begins; the attempts go on
FIRST_LOOK_SECONDS = 5.0  # the same at the start, before it is said that there is no answer


RESERVED_BY_EACH = 2  # descriptors, of many agents


@dataclass(frozen=True, slots=True)
class OneOfMany:
    """What an agent shares with those of other databases, and what is known of its own. *again*: it was served before."""

    id: UUID
    vitals: Vitals
    places: Places
    again: bool


class Agent:
    """Serves one database until it is told to stop."""

    def __init__(
        self, options: Options, one_of: OneOfMany | None = None, traces: Traces | None = None
    ) -> None:
        """Prepare everything; nothing is connected yet. *one_of*: what it shares with agents of other databases."""
        self._options = options
        self._one_of, self._id = one_of, one_of.id if one_of else uuid4()
        self._registered = self._serves = False
        self._has = [*(f"label {label}" for label in options.labels), *known_engines()]
        self._noted = ""  # what was said last about the extension's version
        self._problems: set[str] = set()  # of the database, that were said
        self._doubts = 0  # refusals that were not understood
        self._pause = FIRST_PAUSE_SECONDS
        self._tried_at = 0.0
        self._words = ""  # what was said last of the outage
        self._event = asyncio.Event()
        self._control: Control | None = None
        server = server_conninfo(options.conninfo)
        self._conninfo = control_conninfo(server)
        self._search = PrimarySearch(self._conninfo, self._event.set)
        self._reserve = Reserve(
            RESERVED_BY_EACH if one_of else RESERVED, on_shortage=lambda: self._pool.drop_idle()
        )
        self._pool = SqlPool(server, options.workers, reserve=self._reserve)
        self._processes = local_processes(options.pass_env, self._reserve)
        self._confirmation = Confirmation(self._event.set)
        self._steps = self._running_steps()
        self.vitals = one_of.vitals if one_of else Vitals(server, options.workers)
        self._side_tasks = self._all_side_tasks(traces)
        self.vitals.running, self._steps.ended = self._executing, self.vitals.steps
        self._places = one_of.places if one_of else Places(options.workers)
        self._user = self._places.join(self._event.set)
        self._stopping = Stopping(options.grace, self._cancel_all, self._event.set, self._cut)
        self._stopping.announces = one_of is None
        self._draining = Draining(
            self._id,
            ends=options.exit_when_drained and one_of is None,
            stopping=self._stopping,
            stop=self.stop,
            on_event=self._event.set,
        )

    def _executing(self) -> int:
        """Return how many steps do not wait for a worker."""
        return len(self._steps) - len(self._steps.workers)

    def _running_steps(self) -> RunningSteps:
        options, confirmation = self._options, self._confirmation
        self._batch_steps = BatchSteps(
            options.engine_dir, options.output_limit, self._processes, confirmation, self._note_engine_job
        )
        return RunningSteps(
            self._pool,
            self._batch_steps,
            Workers(options.workers),
            confirmation,
            options.output_limit,
            self._event.set,
        )

    def _all_side_tasks(self, traces: Traces | None) -> Sequence[SideTask]:
        tasks = [Sender(self._options.smtp, self._event.set), Upkeep(), Report(self._steps.refused)]
        if traces is None:
            return tasks
        spans = traces.of(self.vitals)
        self._steps.trace_start, self._steps.trace_end = spans.begin, spans.end
        return [*tasks, spans]

    async def run(self) -> None:
        """Serve until `stop`; a lost connection is made again. Raises CannotServeError."""
        try:
            await self._keep_serving()
        finally:
            self._steps.close()
            self._places.leave(self._user)
            self.vitals.running = lambda: 0
            self._search.stop()
            self._reserve.close()
            self._control = None  # there is nothing to cut any more
            await self._pool.close()
            if self._processes is not None:
                await self._processes.close()
            for task in self._side_tasks:
                await task.close()

    @property
    def served(self) -> Sequence[Vitals]:
        """Return what it serves."""
        return [self.vitals]

    @property
    def is_idle(self) -> bool:
        """Whether it serves, and has nothing to do."""
        busy = len(self._steps) or self._steps.unbooked or any(task.busy for task in self._side_tasks)
        return self._serves and not busy

    async def wanted_in(self) -> float | None:
        """Return the seconds until the database needs it, as far as that is foreseen. Raises psycopg.Error."""
        if self._control is None or self._control.closed:
            return 0.0
        ((seconds,),) = await self._control.fetch("SELECT pgagent_py.wanted_in()")
        return None if seconds is None else float(seconds)

    def leave(self) -> None:
        """End, as the database has nothing to do."""
        self._stopping.leave()

    def give_up(self) -> None:
        """End without a word to the server: the database is gone."""
        self._stopping.give_up_now()

    def _was_here(self) -> bool:
        """Return whether the launcher has served the database before."""
        return self._registered or (self._one_of is not None and self._one_of.again)

    def _is_routine(self) -> bool:
        """Return whether it need not be said that it serves: one of many databases that has something to do again."""
        return self._one_of is not None and self._one_of.again and not self._registered

    def stop(self) -> None:
        """Take no more jobs; end when the running steps have ended or their time is up. A second call hurries."""
        self._steps.leave()
        self._stopping.stop(len(self._steps) - self._steps.lasting)

    def drain(self) -> None:
        """Finish the running steps, take nothing more, and end then if the options say so."""
        self._draining.ask(ends=self._options.exit_when_drained)

    async def _keep_serving(self) -> None:
        while not self._stopping.given_up and self._is_wanted():
            try:
                await self._serve()
                return
            except (psycopg.Error, CannotServeError, OSError, MemoryError) as error:
                words = hide_mistyped(str(error).strip()) or type(error).__name__
                if isinstance(error, MemoryError) or is_shortage(words):
                    self._steps.book_less()
                if not self._registered and await self._is_hopeless(error, words):
                    raise CannotServeError(words) from error
            if self._stopping.given_up:
                logger.error(Event("stop", f"giving up: {words}"))
                return
            await self._wait_for_server(words)

    async def _is_hopeless(self, error: Exception, words: str) -> bool:
        """Return whether a launcher that has never served should end: the user has to correct something."""
        if isinstance(error, CannotServeError | psycopg.ProgrammingError) or is_mistake(words):
            return True
        refused = isinstance(error, psycopg.Error) and error.sqlstate is None and "no answer yet" not in words
        if not refused or STANDBY in words or may_pass(words, own_server=True) is not None:
            return False
        # In words that nobody knows, as of a server in another language. It lets others in, so it seems to mean this launcher.
        self._doubts += await in_thread(ping, self._conninfo) == pq.Ping.OK
        return self._doubts >= MOST_DOUBTS

    def _is_wanted(self) -> bool:
        """Return whether to connect: a registered agent must say that it leaves, even if it is told to stop."""
        return self._registered or not self._stopping.asked

    async def _serve(self) -> None:
        """Connect and serve; psycopg.Error when that fails or the connection is lost."""
        self._tried_at = asyncio.get_running_loop().time()
        with self._reserve.released():
            found = await self._search.look(LOOK_SECONDS if self._registered else FIRST_LOOK_SECONDS)
        control = self._control = Control(found.connection, self._conninfo, self._reserve, self._event.set)
        loop = self._loop(control)
        try:
            if self._stopping.given_up:
                return
            self._pool.ask = control.why_refused
            options = self._options
            note = await control.start_agent(
                self._id, options.host, self._was_here(), options.workers, self._has
            )
            say = logger.debug if self._is_routine() else logger.info
            again, self._registered = self._registered, True
            if note and note != self._noted:
                logger.warning(Event("connect", note))
            self._noted = note
            for problem in await control.problems():
                if problem not in self._problems:
                    logger.error(Event("check", problem))
                    self._problems.add(problem)
            self._pool.use_server(control.server, found.place)
            await self._batch_steps.serve(control)
            await loop.resume()
            say(Event("serve", agent=self._id, extension=await control.version(), again=again))
            self.vitals.begin(control.database, again)
            self._serves = True
            notify_systemd("READY=1\nSTATUS=Serving")
            await loop.run()
        finally:
            self.vitals.serving = self._serves = False
            if loop.has_turned:
                self._pause, self._words = FIRST_PAUSE_SECONDS, ""
            self._confirmation.lapse()
            await control.close()

    def _loop(self, control: Control) -> Loop:
        """Return the loop that serves with *control*."""
        return Loop(
            control,
            self._options,
            self._steps,
            self._confirmation,
            self._side_tasks,
            self._stopping,
            self._draining,
            self._event,
            self.vitals,
            self._places,
            self._user,
        )

    async def _wait_for_server(self, words: str) -> None:
        """Say why there is no connection, and pause before the next attempt."""
        # Each outage once as an error; after that, as a warning, what is new.
        level = logging.DEBUG if words == self._words else logging.WARNING if self._words else logging.ERROR
        self._words = words
        logger.log(level, Event("connect", f"trying again in {self._pause:.2g} s: {words}"))
        notify_systemd("READY=1\nSTATUS=Waiting for the server")  # ready to serve it when it comes
        # Warm connections may hold the very room that is missing, or lead to a server that is no longer the primary.
        self._pool.close_idle()
        self._event.clear()
        if self._stopping.asked:
            self._pause = min(self._pause, BUSY_PAUSE_SECONDS)
            if not len(self._steps) and not self._steps.unbooked:
                self._stopping.give_up_soon()
        if self._is_wanted():
            until = self._tried_at + random.uniform(0.5, 1) * self._pause
            seconds = until - asyncio.get_running_loop().time()
            await wait_for_event(self._event, max(seconds, SHORTEST_PAUSE_SECONDS))
        longest = self._options.longest_pause
        self._pause = min(self._pause * 2, min(longest, BUSY_PAUSE_SECONDS) if len(self._steps) else longest)

    async def _note_engine_job(self, jslid: int, job: str) -> bool:
        """Write down what an engine calls a step; psycopg.Error while there is no connection."""
        if self._control is None:
            raise psycopg.OperationalError("the connection to the server was lost")
        return await self._control.note_engine_job(jslid, job)

    def _cancel_all(self, note: str, kill: bool) -> None:
        self._steps.cancel_all(note, kill)
        for task in self._side_tasks:
            task.cancel()

    def _cut(self) -> None:
        if self._control is not None:
            logger.error(Event("stop", "the server does not answer"))
            self._control.cut()
