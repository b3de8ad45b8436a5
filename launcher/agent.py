"""The agent: what a database knows this launcher by. It keeps its runs through lost connections, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from uuid import uuid4

import psycopg
from psycopg import pq

from .confirmation import Confirmation
from .conninfo import control_conninfo, hide_mistyped, server_conninfo
from .control import Control
from .draining import Draining
from .handshake import CannotServeError
from .log import Event
from .loop import Loop, wait_for_event
from .options import Options
from .primary import STANDBY, PrimarySearch
from .processes import Processes
from .refusals import is_mistake, is_shortage, may_pass
from .running_steps import RunningSteps
from .sender import Sender
from .shortages import Reserve
from .side_task import SideTask
from .sql_pool import SqlPool
from .stopping import Stopping
from .systemd import notify_systemd
from .threads import in_thread
from .upkeep import Upkeep
from .vitals import Vitals

logger = logging.getLogger("pgagent_py")

# Between the beginnings of attempts to connect, at most: launchers that lost the same server do not all come at once.
# While steps are running it must not be long: other launchers may miss this one.
FIRST_PAUSE_SECONDS, BUSY_PAUSE_SECONDS = 0.05, 1.0
SHORTEST_PAUSE_SECONDS = 0.02  # from the end of an attempt, however long it took
MOST_DOUBTS = 15  # attempts, in about ten seconds
LOOK_SECONDS = 1.0  # for an answer, before the next attempt begins; the attempts go on
FIRST_LOOK_SECONDS = 5.0  # the same at the start, before it is said that there is no answer


class Agent:
    """Serves one database until it is told to stop."""

    def __init__(self, options: Options) -> None:
        """Prepare everything; nothing is connected yet."""
        self._options = options
        self._id = uuid4()
        self._has = [f"label {label}" for label in options.labels]
        self._registered = False
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
        self._reserve = Reserve(on_shortage=lambda: self._pool.drop_idle())
        self._pool = SqlPool(server, options.workers, reserve=self._reserve)
        self._processes = Processes(options.pass_env, self._reserve)
        self._confirmation = Confirmation(self._event.set)
        self._steps = RunningSteps(
            self._pool, self._processes, self._confirmation, options.output_limit, self._event.set
        )
        self._side_tasks: Sequence[SideTask] = (Sender(options.smtp, self._event.set), Upkeep())
        self.vitals = Vitals(server, options.workers, self._steps.__len__, self._steps.ended)
        self._stopping = Stopping(options.grace, self._cancel_all, self._event.set, self._cut)
        self._draining = Draining(
            self._id, ends=options.exit_when_drained, stopping=self._stopping, on_event=self._event.set
        )

    async def run(self) -> None:
        """Serve until `stop`; a lost connection is made again. Raises CannotServeError."""
        try:
            await self._keep_serving()
        finally:
            self._search.stop()
            self._reserve.close()
            await self._pool.close()
            await self._processes.close()
            for task in self._side_tasks:
                await task.close()

    def stop(self) -> None:
        """Take no more jobs; end when the running steps have ended or their time is up. A second call hurries."""
        self._stopping.stop(len(self._steps))

    def drain(self) -> None:
        """Finish the running steps, take nothing more, and end then if the options say so."""
        self._draining.ask()

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
        ping = await in_thread(pq.PGconn.ping, self._conninfo.encode())
        self._doubts += ping == pq.Ping.OK
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
                self._id, options.host, self._registered, options.workers, self._has
            )
            again, self._registered = self._registered, True
            if note and note != self._noted:
                logger.warning(Event("connect", note))
            self._noted = note
            for problem in await control.problems():
                if problem not in self._problems:
                    logger.error(Event("check", problem))
                    self._problems.add(problem)
            self._pool.use_server(control.server, found.place)
            await loop.resume()
            logger.info(Event("serve", agent=self._id, extension=await control.version(), again=again))
            self.vitals.begin(control.database, again)
            notify_systemd("READY=1\nSTATUS=Serving")
            await loop.run()
        finally:
            self.vitals.serving = False
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

    def _cancel_all(self, note: str, kill: bool) -> None:
        self._steps.cancel_all(note, kill)
        for task in self._side_tasks:
            task.cancel()

    def _cut(self) -> None:
        if self._control is not None:
            logger.error(Event("stop", "the server does not answer"))
            self._control.cut()
