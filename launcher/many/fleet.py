"""The fleet: agents for the databases of a server that have something to do. Over one connection it sees where that is.

A quiet database has no connection of ours. Each second the fleet reads in which databases transactions or sessions have moved,
looks at these, and serves those where something is due soon. Then they have an agent for as long as there is something to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..agent import Agent, OneOfMany
from ..confirmation import now
from ..conninfo import control_conninfo, server_conninfo, words_of
from ..handshake import CannotServeError
from ..log import Event, database
from ..options import Options
from ..places import Places
from ..primary import Connection, PrimarySearch
from ..refusals import is_mistake
from ..session_settings import BEGIN_SESSION
from ..systemd import notify_systemd
from ..vitals import Vitals
from .database import Database
from .look import Seen, databases, look

if TYPE_CHECKING:
    from ..watching.traces import Traces

logger = logging.getLogger("pgagent_py")

WATCH_SECONDS = 1.0  # between two readings
LOOKS_AT_ONCE, STARTS_AT_ONCE = 3, 8
START_SECONDS = 30.0  # after which others may start, too
LINGER_SECONDS = 5.0  # with nothing to do, before a database is left
STAY_SECONDS = 15.0  # a database is not left when something is due so soon
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0


class Fleet:
    """Serves the databases of a server until it is told to stop."""

    def __init__(self, options: Options, traces: Traces | None = None) -> None:
        """Prepare everything; nothing is connected yet."""
        self._options, self._traces = options, traces
        self._names = list(options.databases or []) or None
        self._params = conninfo_to_dict(server_conninfo(options.conninfo))
        self._places = Places(options.workers)
        self._databases: dict[int, Database] = {}
        self.served: list[Vitals] = []  # of all that have the extension
        self._search = PrimarySearch(control_conninfo(server_conninfo(options.conninfo)), lambda: None)
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._starts = asyncio.Semaphore(STARTS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._is_up = self._drains = False
        self._words = ""
        self._missing: set[str] = set()  # of the databases that the options name

    async def run(self) -> None:
        """Serve until `stop`; a lost connection is made again. Raises CannotServeError if there is none at the start."""
        pause = WATCH_SECONDS
        while not self._stop.is_set():
            try:
                found = await self._search.look(CONNECT_SECONDS)
                pause = WATCH_SECONDS
                await self._watch(found.connection)
            except (psycopg.Error, OSError, TimeoutError) as error:
                words = words_of(error)
                if not self._is_up and is_mistake(words):
                    raise CannotServeError(words) from error
                if words != self._words:
                    logger.error(Event("connect", f"trying again: {words}"))
                self._words = words
            await self._sleep(pause)
            pause = min(pause * 2, max(self._options.longest_pause, WATCH_SECONDS))
        self._search.stop()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def stop(self) -> None:
        """Take no more jobs; end when the running steps have ended or their time is up. A second call hurries."""
        agents = [known.agent for known in self._databases.values() if known.agent is not None]
        if not self._stop.is_set():
            running = sum(known.vitals.running() for known in self._databases.values())
            logger.info(Event("stop", f"steps in progress: {running}"))
            notify_systemd("STOPPING=1")
        self._stop.set()
        for agent in agents:
            agent.stop()

    def drain(self) -> None:
        """Finish the running steps, take nothing more, and end then if the options say so."""
        self._drains = True
        for known in self._databases.values():
            if known.agent is not None:
                known.agent.drain()

    async def _watch(self, connection: Connection) -> None:
        """Read each second what moves, as long as the connection lasts."""
        try:
            await connection.execute(BEGIN_SESSION.encode())
            while not self._stop.is_set():
                async with asyncio.timeout(ANSWER_SECONDS):
                    seen = await databases(connection, self._names)
                if not self._is_up or self._words:
                    logger.info(Event("watch", f"databases: {len(seen)}", again=self._is_up))
                    notify_systemd("READY=1\nSTATUS=Serving")
                self._is_up, self._words = True, ""
                self._look_for_named(seen)
                self._compare(seen)
                await self._sleep(WATCH_SECONDS)
        finally:
            await connection.close()

    def _look_for_named(self, seen: list[Seen]) -> None:
        """Say which databases that the options name are missing, when that changes."""
        missing = {*(self._names or ())} - {one.name for one in seen}
        if missing - self._missing:
            logger.warning(
                Event("watch", f"not there, or open to no connection: {', '.join(sorted(missing))}")
            )
        self._missing = missing

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    def _compare(self, seen: list[Seen]) -> None:
        """Look at databases that have moved, leave those that are quiet, forget those that are gone."""
        there = {one.oid: one for one in seen}
        for oid in self._databases.keys() - there.keys():
            self._forget(oid)
        for one in seen:
            known = self._databases.get(one.oid)
            if known is None or known.name != one.name:
                if known is not None:
                    self._forget(one.oid)
                known = self._databases[one.oid] = self._new(one)
            if not self._drains and known.is_to_be_looked_at(one):
                known.task = self._begin(known, self._look_and_serve(known))
            elif known.agent is not None and known.agent.is_idle:
                self._leave(one, known, known.agent)
            if known.agent is None and known.vitals.serving:
                known.vitals.turned_at = now()  # it is quiet: there is nothing to ask for
        served = any(known.task is not None for known in self._databases.values())
        if self._drains and self._options.exit_when_drained and not served:
            self.stop()

    def _leave(self, seen: Seen, known: Database, agent: Agent) -> None:
        """Leave a database that has nothing to do, but not at once: more may come. At first it is served for a moment only."""
        linger = LINGER_SECONDS if known.served else 0.0
        if (self._drains or not seen.home) and now() > known.vitals.worked_at + linger:
            self._begin(known, self._leave_if_quiet(known, agent))

    def _new(self, seen: Seen) -> Database:
        conninfo = make_conninfo("", **(self._params | {"dbname": seen.name}))
        vitals = Vitals(conninfo, self._options.workers)
        vitals.database = seen.name
        return Database(seen.oid, seen.name, vitals)

    def _forget(self, oid: int) -> None:
        """Forget a database that is gone, or has another name now."""
        known = self._databases.pop(oid)
        if known.agent is not None:
            known.agent.give_up()
        if known.vitals in self.served:
            self.served.remove(known.vitals)

    def _begin(self, known: Database, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        token = database.set(known.name)
        try:
            task = asyncio.create_task(work)
        finally:
            database.reset(token)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _look_and_serve(self, known: Database) -> None:
        """Look what a database needs, and serve it if it needs something."""
        try:
            async with self._looks:
                need = await look(self._params | {"dbname": known.name}, known.extension)
            wanted = known.looked(need)
            logger.debug(Event("look", extension=need.extension, wanted_in=need.wanted_in))
            self._note_extension(known, need.extension)
            if wanted and not self._stop.is_set():
                await self._serve(known)
        except (psycopg.Error, CannotServeError, OSError, TimeoutError) as error:
            known.extension = False
            self._failed(known, words_of(error))
        finally:
            known.task = None

    def _note_extension(self, known: Database, there: bool) -> None:
        """A database whose extension was dropped is none of ours any more."""
        if there and known.vitals not in self.served:
            self.served.append(known.vitals)
        elif not there and known.vitals in self.served:
            self.served.remove(known.vitals)
        known.vitals.serving = there

    def _failed(self, known: Database, words: str) -> None:
        known.vitals.serving = False
        if known.failed(words) and known.oid in self._databases:
            logger.error(Event("serve", f"this database can't be served, others are: {words}"))

    async def _serve(self, known: Database) -> None:
        """Serve a database until it is left. Raises CannotServeError."""
        options = replace(self._options, conninfo=known.vitals.conninfo)
        await self._starts.acquire()
        starting = asyncio.create_task(self._wait_for_start(known))
        starting.add_done_callback(lambda _: self._starts.release())
        try:
            known.agent = Agent(
                options, OneOfMany(known.id, known.vitals, self._places, known.served), self._traces
            )
            if not (self._stop.is_set() or self._drains):
                await known.agent.run()
                known.was_served()
        finally:
            starting.cancel()
            known.agent = None
            known.left()
        known.vitals.serving = not self._stop.is_set()

    async def _wait_for_start(self, known: Database) -> None:
        """Wait until another database may start: until this one serves, or, if it is its first time, is left again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while not (known.served and known.vitals.serving):
                    await asyncio.sleep(0.05)

    async def _leave_if_quiet(self, known: Database, agent: Agent) -> None:
        """Leave a database in which nothing is due soon. What is due and was not taken is held up by something that will move."""
        known.vitals.worked_at = now()  # the next look is not at once
        try:
            seconds = await agent.wanted_in()
        except psycopg.Error:
            return  # the agent sees to that
        if agent.is_idle and (self._drains or seconds is None or not 0 < seconds <= STAY_SECONDS):
            known.held = seconds is not None and seconds <= 0
            agent.leave()
