"""The pool of warm connections that SQL steps run on."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections import deque
from collections.abc import Callable

from psycopg.conninfo import conninfo_to_dict

from .conninfo import ConninfoError, Params, parse_conninfo
from .idle import IdleConnections
from .log import Event
from .output import Output
from .shortages import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Reserve
from .sql_target import AskServer, NotNowError, Target, TargetError, WaitingStep, nobody_to_ask, target_of
from .step import StepRun
from .step_connection import StepConnection

logger = logging.getLogger("pgagent_py")

# A backend that has just worked works for less, since its memory is in the processor's caches. So short steps share a few
# connections: a step waits a moment for one of these to come back before it uses another.
SHARED_CONNECTIONS = 4
SHARE_SECONDS = 0.005
RESET_SECONDS = 0.05  # that a step waits for a connection that is being reset, before another one is opened
TARGETS_KEPT = 1000  # at most, apart from those in use


class SqlPool:
    """Warm connections by target: in all at most one per worker, and idle ones not for long.

    A target is a database of the launcher's own server, the same with another role, or a connection string.
    """

    def __init__(
        self,
        server_conninfo: str,
        workers: int,
        *,
        idle_seconds: float = 60.0,
        use_seconds: float = 60.0,
        reserve: Reserve | None = None,
    ) -> None:
        """Prepare to serve *workers* steps at a time; nothing is connected yet.

        Local steps connect with *server_conninfo*, only the database and the role are theirs. Connections that are idle
        for *idle_seconds* are closed. No step begins on one that has been open for *use_seconds*: its role may have lost
        the right to log in, or may have got another's name. The descriptors of *reserve* are not for connections.
        """
        self._reserve = reserve or Reserve(0)
        self._server: Params = dict(conninfo_to_dict(server_conninfo))
        self._workers = workers
        self._use_seconds = use_seconds
        self._targets: dict[tuple[str, str, str | None, int | None], Target] = {}
        self._open: set[StepConnection] = set()
        self._place: Params = {}
        self._local_server: str | None = None  # what names the server that hands out the steps
        self._tasks: dict[asyncio.Task[None], Target] = {}
        self._idle = IdleConnections(lambda: self._targets.values(), self._drop, self._ready, idle_seconds)
        self._closed = False
        self.on_no_room: Callable[[], None] = lambda: None  # called when steps begin to wait for a connection
        self.ask: AskServer = nobody_to_ask  # why the server refuses connections

    def use_server(self, server: str, place: Params) -> None:
        """Execute local steps on this server from now on, which is reached by *place*: it hands them out."""
        if server == self._local_server and place == self._place:
            return
        self._local_server, self._place = server, place
        for connection in list(self._open):
            if target_of(connection).local and connection.server != server:
                connection.close("The launcher has left this server, which is the primary no more.")
                self._lost(connection)
        for target in self._targets.values():
            if target.local:
                target.move(place)
        for task, target in self._tasks.items():
            if target.local:
                task.cancel()  # it may hang for as long as connect_timeout; another one takes its place

    def target(self, run: StepRun) -> Target:
        """Return the target of a step. Raise `TargetError` if its connection string can't be read."""
        key = (run.jstdbname, run.jstconnstr, run.jobrunas, run.jobroleid)
        target = self._targets.get(key)
        if target is None:
            if len(self._targets) >= TARGETS_KEPT:
                self._targets = {k: t for k, t in self._targets.items() if t.in_use}
            target = self._targets[key] = self._new_target(run)
        return target

    def take(self, target: Target) -> StepConnection | None:
        """Return a warm connection of *target*, or None if there is none or one will soon come back."""
        if len(target.just_out) >= SHARED_CONNECTIONS:
            return None
        connection = self._take_idle(target)
        if connection is not None:
            self._note_just_out(target, connection)
        return connection

    def wait(self, target: Target, output: Output) -> asyncio.Future[StepConnection]:
        """Return a future for a connection of *target*; `TargetError` is set on it if there can't be one.

        A server that has no room is waited for, however long, and *output* then says so. Every caller calls
        `leave` in the end.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[StepConnection] = loop.create_future()
        target.waiting.append(WaitingStep(future, output))
        if len(target.just_out) >= SHARED_CONNECTIONS:
            return future  # _spread looks after it
        if target.missing > 0:
            self._connect(target)
        else:
            loop.call_later(RESET_SECONDS, self._connect_missing, target)
        return future

    def leave(self, target: Target, future: asyncio.Future[StepConnection]) -> None:
        """End a wait; a connection that has arrived goes to the next step."""
        target.waiting = deque(step for step in target.waiting if step.future is not future)
        if future.done() and not future.cancelled() and future.exception() is None:
            self._ready(future.result())

    def give_back(self, connection: StepConnection) -> None:
        """Take a connection back from a step and make it fresh for another, in the background."""
        target = target_of(connection)
        connection.used = True
        usable = not (
            connection.spoiled or connection.expired or connection.shared or self._is_old(connection)
        )
        if self._closed or not usable or target.freshness.may_leave:
            self._drop(connection)
            if target.missing > 0:
                self._connect(target)
            return
        target.resetting += 1
        connection.reset(self._reset_ended)

    def look_again(self) -> None:
        """Count on nothing that was known of databases and roles: a step may have changed it."""
        for target in self._targets.values():
            target.freshness.look_again()

    def drop_idle(self) -> None:
        """Close the connections that are idle now: something else needs their room."""
        for target in self._targets.values():
            for connection in list(target.idle):
                self._lost(connection)

    def close_idle(self) -> None:
        """Begin no step on a connection that is open now: it may lead to a server that has been replaced."""
        for connection in list(self._open):
            connection.expired = True
            if connection in target_of(connection).idle:
                self._lost(connection)

    async def close(self) -> None:
        """Close all connections; steps that still run on them end with an error."""
        self._closed = True
        self._idle.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for target in self._targets.values():
            while self._refuse(target, "the launcher is stopping"):
                pass
        for connection in list(self._open):
            self._drop(connection)

    def _new_target(self, run: StepRun) -> Target:
        if run.jstconnstr:
            if run.jobrunas:
                raise TargetError("a step of a job with a role of its own can't have a connection string")
            try:
                return Target(parse_conninfo(run.jstconnstr), local=False)
            except ConninfoError as error:
                raise TargetError(str(error)) from None
        params = self._server | self._place
        if run.jstdbname:
            params["dbname"] = run.jstdbname
        if run.jobrunas:
            # An empty password keeps libpq from PGPASSWORD, which is the launcher's own.
            params |= {"user": run.jobrunas, "password": ""}
        return Target(params, local=True, role=run.jobroleid, ask=lambda *names: self.ask(*names))

    # Idle connections

    def _take_idle(self, target: Target) -> StepConnection | None:
        while target.idle:
            connection = target.idle.pop()
            if connection.is_usable() and not self._is_old(connection):
                return connection
            self._drop(connection)
        return None

    def _ready(self, connection: StepConnection) -> None:
        """Hand a fresh connection to the step that has waited longest, or keep it warm."""
        target = target_of(connection)
        if step := target.next_waiting():
            self._note_just_out(target, connection)
            step.future.set_result(connection)
            return
        if connection.pooled:  # another client may wait for what it holds
            self._drop(connection)
            return
        target.just_out.discard(connection)
        self._idle.keep(target, connection)

    def _is_old(self, connection: StepConnection) -> bool:
        return asyncio.get_running_loop().time() > connection.opened + self._use_seconds

    # Few connections for short steps

    def _note_just_out(self, target: Target, connection: StepConnection) -> None:
        target.just_out.add(connection)
        if len(target.just_out) >= SHARED_CONNECTIONS and not target.spread_planned:
            target.spread_planned = True
            asyncio.get_running_loop().call_later(SHARE_SECONDS, self._spread, target)

    def _spread(self, target: Target) -> None:
        """Give the steps that have waited for a shared connection one of their own."""
        target.spread_planned = False
        target.just_out.clear()
        while target.waiting and (connection := self._take_idle(target)):
            self._ready(connection)
        for _ in range(target.missing):
            self._connect(target)
        if target.waiting:
            asyncio.get_running_loop().call_later(RESET_SECONDS, self._connect_missing, target)

    # New connections

    def _connect(self, target: Target) -> None:
        """Open a connection in the background."""
        if self._closed:
            return
        target.connecting += 1
        task = asyncio.get_running_loop().create_task(self._open_for(target))
        self._tasks[task] = target
        task.add_done_callback(self._open_ended)

    def _open_ended(self, task: asyncio.Task[None]) -> None:
        target = self._tasks.pop(task)
        if task.cancelled() and target.missing > 0:
            self._connect(target)

    def _connect_missing(self, target: Target) -> None:
        """Open a connection for each waiting step, without counting on those that are being reset."""
        for _ in range(target.missing + target.resetting):
            self._connect(target)

    async def _open_for(self, target: Target) -> None:
        """Open one connection and hand it over; try again as long as a step waits and it may help."""
        pause = FIRST_PAUSE_SECONDS
        try:
            while target.waiting:
                self._make_room()
                try:
                    if not self._reserve.has_room():
                        raise NotNowError(os.strerror(errno.EMFILE))
                    connection = await target.connect(self._lost)
                    self._check_server(connection)
                except TargetError as error:
                    self._refuse(target, str(error))
                    return
                except NotNowError as error:
                    for step in target.waiting:
                        step.tell(str(error))
                    began, target.refusal = not target.has_no_room, str(error)
                    if began:
                        self.on_no_room()
                    self._close_idle_of_server(target.local)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                except Exception as error:  # a fault of ours: the step must not wait for ever
                    logger.exception(Event("connect_step"))
                    self._refuse(target, f"Error in the launcher: {type(error).__name__}")
                    return
                else:
                    target.refusal = ""
                    self._open.add(connection)
                    self._ready(connection)
                    return
        finally:
            target.connecting -= 1

    def _check_server(self, connection: StepConnection) -> None:
        """Raise `NotNowError` if a local step would come to another server than the one that handed it out."""
        if target_of(connection).local and self._local_server not in (None, connection.server):
            connection.close()
            raise NotNowError("the launcher is not connected to this server, or not yet")

    def _refuse(self, target: Target, reason: str) -> bool:
        """Let the step that has waited longest fail; return whether there was one."""
        step = target.next_waiting()
        if step is not None:
            step.future.set_exception(TargetError(reason))
        return step is not None

    def _close_idle_of_server(self, local: bool) -> None:
        """Close idle connections: they may be the very room that a server, local or not, does not have."""
        for target in self._targets.values():
            if target.local == local:
                for connection in list(target.idle):
                    self._lost(connection)

    def _make_room(self) -> None:
        """Close the connection that has been idle longest if there are as many connections as workers."""
        if len(self._open) >= self._workers:
            idle = [target.idle[0] for target in self._targets.values() if target.idle]
            if idle:
                self._lost(min(idle, key=lambda connection: connection.idle_since))

    # Connections on their way back

    def _reset_ended(self, connection: StepConnection) -> None:
        target = target_of(connection)
        target.resetting -= 1
        if connection.error or connection.expired or not connection.at_rest or not connection.is_usable():
            self._drop(connection)
            if target.missing > 0:
                self._connect(target)
        else:
            self._ready(connection)

    def _lost(self, connection: StepConnection) -> None:
        """Drop a connection that may be idle."""
        target = target_of(connection)
        if connection in target.idle:
            target.idle.remove(connection)
        self._drop(connection)

    def _drop(self, connection: StepConnection) -> None:
        self._open.discard(connection)
        target_of(connection).just_out.discard(connection)
        connection.close()
