"""The control connection: the backend that is registered as an agent, and the SQL of the loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from .deadline import THIS_BACKEND, Backend, Deadline
from .handshake import INSTALLED, KNOWS, CannotServeError, Installed, check_extensions, launcher_version
from .news import News
from .output import storable
from .pooler import BACKEND_PID, SHARED, asker, is_shared
from .primary import STANDBY, Connection, PrimarySearch
from .refusals import FULL, WHY_REFUSED
from .session_settings import BEGIN_SESSION, SET_SETTINGS, SETTINGS
from .shortages import Reserve
from .socket_watch import SocketWatch
from .sql_connection import SqlConnection
from .step import LARGEST_RESULT, RunName, StepResult, StepRun
from .wake_ups import WakeUps

COLUMNS = """
    t.jobid, t.jlgid, t.jstid, t.jslid, t.jobname, t.jstname, t.jstkind, t.jstcode, t.jstdbname, t.jstconnstr, t.jstatomic,
    extract(epoch FROM t.jsttimeout)::float8, extract(epoch FROM t.jobtimeleft)::float8, t.jobrunas, t.jobparameters::text,
    t.jobroleid::int8, (extract(epoch FROM t.handed) * 1000000)::int8, (extract(epoch FROM t.claimed) * 1000000)::int8, t.try,
    t.due, t.previous_due, coalesce(t.keep_rows, 0), t.engine, t.engine_options::text, t.engine_job,
    coalesce(t.separately, false), coalesce(t.ahead, false)"""

RUN_DUE = f"""
SELECT {COLUMNS}
  FROM pgagent_py.run_due(%s, ARRAY(
       SELECT (r.jlgid, r.jslid, r.jslstatus, r.jslresult, make_interval(secs => r.seconds), r.jsloutput)::pgagent_py.step_result
         FROM unnest(%s::int4[], %s::int4[], %s::text[], %s::int4[], %s::float8[], %s::text[])
              r (jlgid, jslid, jslstatus, jslresult, seconds, jsloutput)), %s::int4[], %s, %s) t"""

OWN_RUNS = "SELECT r.jlgid, (extract(epoch FROM r.claimed) * 1000000)::int8 FROM pgagent_py.own_run r"

HAND_BACK = "SELECT pgagent_py.hand_back(%s)"

KEEP_ROWS = "SELECT pgagent_py.keep_rows(%s, %s::text[], %s::jsonb)"

STEPS_IN_PROGRESS = f"SELECT {COLUMNS} FROM pgagent_py.steps_in_progress() t"

START_AGENT = """
SELECT pgagent_py.start_agent(%s, %s, %s, knows => %s, pooled => %s, version => %s, places => %s)"""

SECOND_SECONDS = 5.0  # for a second connection through a pooler

PROBLEMS = "SELECT p.error FROM pgagent_py.problems p WHERE p.jobid IS NULL ORDER BY 1"

# Payloads of the notifications on the channel pgagent_py. Any other payload only wakes the launcher.
CANCEL = "cancel"  # runs of some agent are to be ended
MESSAGE = "message"  # there is a message to send
DRAIN = "drain"  # a launcher is to take nothing more, or to go on
PAYLOADS = frozenset({CANCEL, MESSAGE, DRAIN})

BEGIN_ATTEMPTS = 5


class Control:
    """A connection on which the launcher is an agent. Any method raises psycopg.OperationalError when it is lost."""

    def __init__(
        self, connection: Connection, conninfo: str, reserve: Reserve, on_event: Callable[[], None]
    ) -> None:
        """Take over *connection*; when it does not answer, *conninfo* leads to a second one, with descriptors of *reserve*.

        *on_event* is called when a job is due sooner than foreseen, or the connection is lost.
        """
        self._connection = connection
        self._conninfo = conninfo
        self._watch = SocketWatch(connection.pgconn)
        self._deadline = Deadline(conninfo, reserve, self.cut)
        self._lost = False
        self._turn = asyncio.Lock()  # steps ask, too, while the loop does
        self._on_event = on_event
        self.wake_ups = WakeUps(on_event)
        self._heard = set(PAYLOADS)  # all of them may have come while nobody listened
        self.news = News()
        connection.add_notice_handler(self.news.notice)
        connection.add_notify_handler(lambda notify: self._notified(notify.payload))

    async def start_agent(
        self, agent: UUID, station: str, again: bool, places: int, has: Sequence[str] = ()
    ) -> str:
        """Register, *again* if a connection was lost, with *places* for so many steps, and what it *has* beside what all know.

        Return what `check_extensions` says; CannotServeError if it refuses.
        """
        pooled = await self._find_pooler()
        await self._begin_session()
        (row,) = await self._execute(THIS_BACKEND)
        self._deadline.backend = Backend(*row)
        (row,) = await self._execute(INSTALLED)
        found = Installed(*row)
        if found.standby:
            raise psycopg.OperationalError(STANDBY)
        note = check_extensions(found)
        await self._execute(SET_SETTINGS, [Jsonb(SETTINGS)])
        await self._execute("LISTEN pgagent_py")
        await self._execute(
            START_AGENT, [agent, station, again, [*KNOWS, *has], pooled, launcher_version(), places]
        )
        return note

    async def _begin_session(self) -> None:
        """Do first of all what the rest needs, if need be again: until then, what is set for the role may cancel it.

        The owner of the database sets its path, and the launcher's role must not call the owner's functions.
        """
        for attempt in range(1, BEGIN_ATTEMPTS + 1):
            try:
                await self._execute(BEGIN_SESSION)
                return
            except psycopg.errors.QueryCanceled:
                if attempt == BEGIN_ATTEMPTS:
                    raise

    async def _find_pooler(self) -> bool:
        """Return whether a pooler is between; CannotServeError if it gives the connection to others."""

        async def ask(query: str) -> int:
            ((number,),) = await self._execute(query)
            return int(number)

        if await ask(BACKEND_PID) == self._connection.pgconn.backend_pid:
            return False
        search = PrimarySearch(self._conninfo, lambda: None)
        try:
            second = SqlConnection((await search.look(SECOND_SECONDS)).connection, None, lambda _: None)
        finally:
            search.stop()
        try:
            if await is_shared(ask, asker(second)):
                raise CannotServeError(SHARED)
        finally:
            second.abandon()
        return True

    async def run_due(
        self,
        capacity: int,
        finished: Sequence[StepResult],
        connecting: Sequence[int],
        own_places: int,
        ahead: int,
    ) -> list[StepRun]:
        """Book the results and return at most *capacity* steps to execute now, and some beyond for owners with nothing running.

        *connecting*: the steps (jslid) that wait for a connection. *ahead*: how many more may come to wait for a worker.
        """
        for result in finished:
            await self._keep_rows(result)
        columns = [
            [r.jlgid for r in finished],
            [r.jslid for r in finished],
            [r.jslstatus for r in finished],
            [None if r.jslresult is None else min(r.jslresult, LARGEST_RESULT) for r in finished],
            [r.jslduration for r in finished],
            [r.jsloutput for r in finished],
        ]
        return [
            StepRun(*row)
            for row in await self.fetch(RUN_DUE, [capacity, *columns, list(connecting), own_places, ahead])
        ]

    async def hand_back(self, runs: Sequence[int]) -> set[int]:
        """Hand back runs (jlgid) that were claimed ahead and have not begun; return those that this agent has no more."""
        return {run for (run,) in await self.fetch(HAND_BACK, [list(runs)])}

    async def _keep_rows(self, result: StepResult) -> None:
        """Keep the rows of a step. If the server can't have them, the step's result is booked all the same."""
        if result.kept is None or not result.kept.columns:
            return
        rows = json.dumps(result.kept.rows, ensure_ascii=False)
        try:
            await self.fetch(KEEP_ROWS, [result.jslid, result.kept.columns, rows])
        except (psycopg.DataError, psycopg.errors.ProgramLimitExceeded) as error:
            result.jsloutput += f"\nThe rows are not kept: {error.diag.message_primary}\n"
        result.kept = None

    async def steps_in_progress(self) -> list[StepRun]:
        """Return the steps that this agent has been handed out and that have no result yet."""
        return [StepRun(*row) for row in await self.fetch(STEPS_IN_PROGRESS)]

    async def own_runs(self) -> set[RunName]:
        """Return the runs that this agent has in progress, with and without a step."""
        return set(await self.fetch(OWN_RUNS))

    async def next_wake(self) -> float | None:
        """Return the seconds after which to call run_due again; None when nothing is foreseen."""
        ((seconds,),) = await self.fetch("SELECT pgagent_py.next_wake()")
        return None if seconds is None else float(seconds)

    async def cancelled_runs(self) -> dict[int, str]:
        """Return the cancelled runs (jlgid) of this agent, with what their log is to say."""
        return dict(await self.fetch("SELECT c.jlgid, c.note FROM pgagent_py.cancelled_runs() c"))

    async def note_engine_job(self, jslid: int, job: str) -> bool:
        """Write down what an engine calls a step; return whether it is this agent's."""
        ((noted,),) = await self.fetch("SELECT pgagent_py.note_engine_job(%s, %s)", [jslid, job])
        return bool(noted)

    async def drain(self, agent: UUID) -> None:
        """Take nothing more."""
        await self.fetch("SELECT pgagent_py.drain(%s)", [agent])

    async def is_draining(self) -> bool:
        """Return whether this agent is to take nothing more."""
        return bool(await self.fetch("SELECT true FROM pgagent_py.this_agent a WHERE a.draining"))

    async def problems(self) -> list[str]:
        """Return what is wrong with the database as a whole."""
        return [error for (error,) in await self.fetch(PROBLEMS)]

    async def confirm(self) -> None:
        """Ask whether this connection's agent is still there; psycopg.OperationalError if it is not."""
        if not await self.fetch("SELECT true FROM pgagent_py.this_agent"):
            raise psycopg.OperationalError("the agent was closed meanwhile")

    async def why_refused(self, database: object, role: object) -> str:
        """Return why the server refuses connections: FULL, HOPELESS or UNKNOWN. FULL, too, if it is away: it is waited for."""
        try:
            ((reason,),) = await self.fetch(WHY_REFUSED, [database, role])
        except psycopg.Error:
            return FULL
        return str(reason)

    async def version(self) -> str:
        """Return the version of the extension that runs in the database."""
        ((version,),) = await self.fetch("SELECT pgagent_py.version()")
        return str(version)

    async def stop_agent(self) -> None:
        """Remove the agent; what it still has in progress is closed as aborted."""
        await self.fetch("SELECT pgagent_py.stop_agent()")

    async def fetch(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query, which is prepared once per connection.

        What others have written may be among the parameters, and no text of theirs must make the query fail.
        """
        encoding = self._connection.info.encoding
        given = [storable(parameter, encoding) for parameter in parameters]
        return await self._execute(query, given, prepare=True)

    async def _execute(
        self, query: str, parameters: Sequence[Any] = (), *, prepare: bool = False
    ) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor(binary=True)
        async with self._turn:
            try:
                with self._deadline:
                    await cursor.execute(query.encode(), parameters, prepare=prepare)
                return await cursor.fetchall() if cursor.rownumber is not None else []
            finally:
                self._watch.read(self._readable)  # psycopg ends its own look after each query

    def heard(self, payload: str) -> bool:
        """Return whether a notification of PAYLOADS has come since this was asked last."""
        if payload in self._heard:
            self._heard.remove(payload)
            return True
        return False

    @property
    def database(self) -> str:
        """Return the name of the database."""
        return self._connection.info.dbname

    @property
    def server(self) -> str:
        """What names the server."""
        assert self._deadline.backend is not None
        return self._deadline.backend.server

    @property
    def closed(self) -> bool:
        """Whether the connection is lost."""
        return self._lost or self._connection.closed

    def check(self) -> None:
        """Raise psycopg.OperationalError if the server has closed the connection while no query was under way."""
        if self._lost:
            raise psycopg.OperationalError("the connection to the server was lost")

    async def close(self) -> None:
        """Close the connection."""
        self._watch.stop()
        self.wake_ups.stop()
        await self._connection.close()

    def cut(self) -> None:
        """Wait for no answer any more: a query in progress ends with psycopg.OperationalError."""
        if self._watch.check():
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._watch.fd)) as same:
                same.shutdown(socket.SHUT_RDWR)

    def _readable(self) -> None:
        pgconn = self._connection.pgconn
        with contextlib.suppress(psycopg.OperationalError):
            pgconn.consume_input()
            while notify := pgconn.notifies():
                self._notified(bytes(notify.extra).decode(errors="replace"))
        if not self._watch.check():
            self._lost = True
            self._on_event()

    def _notified(self, payload: str) -> None:
        if payload in PAYLOADS:
            self._heard.add(payload)
        self.wake_ups.notified()
