"""SQL steps: run at top level on a warm connection, or atomically with their own log entry."""

from __future__ import annotations

import asyncio
import logging

import psycopg

from .confirmation import Confirmation
from .freshness import leaves_something
from .kept_rows import KeptRows
from .log import Event
from .output import DEFAULT_LIMIT, Output
from .pooler import SHARED
from .session_end import end_session
from .sql_pool import SqlPool
from .sql_statements import StatementError, Statements
from .sql_target import Stopped, Target, TargetError
from .sql_text import SET_IDS, SET_LOCAL_IDS, code_of, encoded, finish, is_plain, standard_strings, with_ids
from .step import ABORTED, FAILED, SUCCEEDED, StepResult, StepRun
from .step_connection import StepConnection
from .threads import in_thread

logger = logging.getLogger("pgagent_py.sql_step")

BEGIN_ATTEMPTS = 3  # of a step whose connections are lost before it has begun
CANCEL_REPEAT_SECONDS = 1.0  # between cancel requests: code may catch one and go on
CANCEL_GIVE_UP_SECONDS = 10.0  # of cancel requests in vain, after which the session is ended
LARGE = 50_000  # characters of a text that is not split here, where others would wait
KILL_GIVE_UP_SECONDS = 0.25  # the same when there is no time: a cancelled run is to end within a second

_TRANSACTION_ID = "SELECT pg_catalog.txid_current()"  # an atomic step's log entry needs one anyway
_BEGIN = f"BEGIN; {SET_LOCAL_IDS}; {_TRANSACTION_ID}"
_SET_TRACEPARENT = b"SELECT pg_catalog.set_config('pgagent_py.traceparent', $1, $2)"
_SET_PARAMETERS = b"SELECT pg_catalog.set_config('pgagent_py.parameters', $1, $2)"


class SqlStep:
    """One execution of an SQL step."""

    __slots__ = (
        "_cancel_note",
        "_cancel_status",
        "_confirmation",
        "_connection",
        "_kept",
        "_output",
        "_pool",
        "_query_end",
        "_refused",
        "_run",
        "_started",
        "_status",
        "_stoppers",
        "_target",
        "_unconfirmed",
        "_waiting",
        "begun",
    )

    def __init__(
        self,
        run: StepRun,
        pool: SqlPool,
        output_limit: int = DEFAULT_LIMIT,
        confirmation: Confirmation | None = None,
    ) -> None:
        """Prepare to execute *run* on a connection of *pool*. It begins when there is a fresh *confirmation*."""
        self._run = run
        self._pool = pool
        self._confirmation = confirmation
        self._unconfirmed: asyncio.Future[bool] | None = None
        self._output = Output(output_limit, escape=True)
        self._kept = KeptRows(run.keep_rows) if run.keep_rows else None
        self._target: Target | None = None
        self._connection: StepConnection | None = None
        self._waiting: asyncio.Future[StepConnection] | None = None
        self._query_end: asyncio.Future[StepConnection] | None = None
        self._stoppers: set[asyncio.Task[None]] = set()
        self._cancel_note = ""
        self._cancel_status = ""  # set once cancelled
        self._started = 0.0
        self._status = ""
        self._refused = ""
        self.begun = False

    async def execute(self) -> StepResult:
        """Run the step to its end and return how it ended. Never raises, unless its task is cancelled."""
        run = self._run
        loop = asyncio.get_running_loop()
        self._started = loop.time()
        timer = None
        if run.jsttimeout is not None:
            note = f"The step was cancelled after its timeout of {run.jsttimeout:g} s."
            timer = loop.call_later(run.jsttimeout, self.cancel, note, FAILED)
        rows = -1
        try:
            rows = await self._execute()
        except Stopped:
            pass
        except TargetError as error:
            self._refused = str(error)
            self._output.fail(self._refused.encode())
        except StatementError as error:
            self._output.fail(str(error).encode())
        except Exception as error:
            logger.exception(Event("execute_step", job=run.jobid, run=run.jlgid, step=run.jstid))
            self._output.fail(f"Error in the launcher: {type(error).__name__}: {error}".encode())
        finally:
            if timer is not None:
                timer.cancel()
            self._let_go()
        failed = rows < 0 or self._output.lost
        status = self._status or self._cancel_status or (FAILED if failed else SUCCEEDED)
        if self._cancel_status:
            self._output.line(self._cancel_note.encode())
            if rows >= 0:
                self._output.line(b"Its statements had ended by then.")
        seconds = loop.time() - self._started
        why = self._cancel_note or self._output.error
        output = self._output.text()
        return StepResult(run.jlgid, run.jslid, status, rows, output, seconds, error=why, kept=self._kept)

    def cancel(self, note: str, status: str = ABORTED, kill: bool = False) -> None:
        """Stop the step by a cancel request to the server; *kill* drops the connection soon after."""
        if not self._cancel_status:
            self._cancel_note, self._cancel_status = note, status
        elif not kill:
            return
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Stopped())
        elif self._unconfirmed is not None and not self._unconfirmed.done():
            self._unconfirmed.set_exception(Stopped())
        elif self._connection is not None:
            self._connection.spoiled = True  # a late cancel request must not hit another step
            task = asyncio.get_running_loop().create_task(self._stop(self._connection, kill))
            self._stoppers.add(task)
            task.add_done_callback(self._stoppers.discard)

    def output_size(self) -> int:
        """Return how much there is of it."""
        return len(self._output)

    @property
    def has_no_room(self) -> bool:
        """Whether it waits for a connection that was refused for want of room."""
        return self._waiting is not None and self._target is not None and self._target.has_no_room

    @property
    def refused(self) -> str:
        """Why it could not connect, or can't yet; empty if it could."""
        return self._target.refusal if self.has_no_room and self._target is not None else self._refused

    def output_so_far(self) -> str:
        """Return command tags, notices and COPY data until now."""
        return self._output.text()

    async def _execute(self) -> int:
        """Run the step; return the rows affected, or -1 on error. Everything else is in the output."""
        run = self._run
        for _ in range(BEGIN_ATTEMPTS):
            connection = await self._connect()
            await self._confirm()
            sent = is_plain(run) and connection.takes_one_send(code_of(run))
            if await (self._send(connection) if sent else self._prepare(connection)):
                break
            self._let_go()
        else:
            raise TargetError("The connection was lost before the step began, time and again.")
        self.begun = True
        if leaves_something(run.jstcode):
            connection.expired = True
        if run.jstatomic:
            return await self._execute_atomic(connection)
        if run.separately:
            rows = await self._execute_separately(connection)
        else:
            if not sent:
                await self._query(connection, code_of(run).encode())
            rows = connection.rows or 0
        if not connection.spoiled and not connection.at_rest:
            self._output.line(b"The step left a transaction open; it was rolled back.")
        return -1 if connection.error else rows

    async def _send(self, connection: StepConnection) -> bool:
        """Execute the step in one send; return whether it has begun: if not, the connection was lost before."""
        self.begun = True
        end = self._query_end = asyncio.get_running_loop().create_future()
        connection.send_step(with_ids(SET_IDS, self._run), code_of(self._run), self._output, end.set_result)
        await end
        self.begun = not connection.unbegun
        return self.begun

    async def _prepare(self, connection: StepConnection) -> bool:
        """Do what comes before the step's text; return whether it may begin: if not, the connection was lost."""
        if not self._run.jstatomic:
            await self._set_ids(connection, SET_IDS, b"false")
        await self._confirm()
        return not connection.spoiled

    async def _execute_separately(self, connection: StepConnection) -> int:
        """Execute the statements one by one, up to the first error; return the rows affected by the last one."""
        rows = 0
        text = code_of(self._run)
        found = Statements(text, lambda: standard_strings(connection))
        while statement := await in_thread(found.next) if len(text) > LARGE else found.next():
            self._check_not_cancelled()
            await self._query(connection, encoded(connection, statement))
            if connection.error:
                self._output.line(f"It was the statement in line {statement.line} of the step.".encode())
                break
            rows = rows if connection.rows is None else connection.rows
        return rows

    async def _connect(self) -> StepConnection:
        self._check_not_cancelled()  # while it waited for a worker
        pool = self._pool
        target = self._target = pool.target(self._run)
        while True:
            if self._is_cut_off:
                await self._confirm()
            connection = pool.take(target)
            if connection is None:
                self._waiting = pool.wait(target, self._output)
                connection = await self._waiting
                self._waiting = None
            self._connection = connection
            fresh = not connection.used or await target.freshness.is_fresh(connection)
            if fresh and not self._is_cut_off:
                break
            connection.expired = True
            self._let_go()
        if connection.shared and not self._run.jstatomic:
            raise TargetError(SHARED)
        self._check_not_cancelled()
        return connection

    async def _confirm(self) -> None:
        """Wait until it is certain that the step is still this launcher's to execute."""
        while self._confirmation is not None and not self._confirmation.is_fresh:
            if self._is_cut_off and self._connection is not None:  # the very room that the launcher needs
                self._connection.close("The launcher was cut off before the step began.")
            self._unconfirmed = self._confirmation.wait()
            if await self._unconfirmed:
                break
        self._check_not_cancelled()

    @property
    def _is_cut_off(self) -> bool:
        return self._confirmation is not None and self._confirmation.lapsed

    def _check_not_cancelled(self) -> None:
        if self._cancel_status:
            raise Stopped

    async def _query(self, connection: StepConnection, text: bytes, internal: bool = False) -> None:
        end = self._query_end = asyncio.get_running_loop().create_future()
        connection.query(text, self._output, end.set_result, internal, None if internal else self._kept)
        await end

    async def _set_ids(self, connection: StepConnection, text: str, local: bytes) -> bytes | None:
        """Set the step's ids and parameters where its code, functions and triggers can ask for them.

        They hold for the session, or, if *local*, for the transaction that *text* begins. Return its id then.
        """
        run = self._run
        end = self._query_end = asyncio.get_running_loop().create_future()
        said = Output()
        connection.query(with_ids(text, run), said, end.set_result, internal=True)
        await end
        if connection.error and not connection.spoiled:
            raise StatementError(f"{said.text()}The step has not begun.")
        transaction = connection.value
        for query, given in ((_SET_PARAMETERS, run.jobparameters), (_SET_TRACEPARENT, run.traceparent)):
            if given is not None:
                end = self._query_end = asyncio.get_running_loop().create_future()
                connection.query_params(query, [given.encode(), local], self._output, end.set_result)
                await end
        return transaction

    async def _execute_atomic(self, connection: StepConnection) -> int:
        """Commit the step's effects and its log entry in one transaction, or neither."""
        transaction = await self._set_ids(connection, _BEGIN, b"true")
        self._check_not_cancelled()
        await self._query(connection, code_of(self._run).encode())
        if connection.error:
            return -1
        self._check_not_cancelled()
        rows = connection.rows or 0
        if not await self._is_in(connection, transaction):
            self._output.fail(
                b"The step ended its transaction, which an atomic step must not do. What it committed stays."
            )
            return -1
        if not connection.speaks_utf8 and connection.has_encoding:
            await self._query(connection, b"SET LOCAL client_encoding TO 'UTF8'", internal=True)
        seconds = asyncio.get_running_loop().time() - self._started
        text = finish(connection, self._run, rows, self._output.text(), seconds)
        await self._query(connection, text, internal=True)
        if not connection.error:
            self._status = SUCCEEDED  # it is committed, even if it was cancelled meanwhile
            return rows
        if connection.spoiled and not self._cancel_status:
            self._output.fail(
                b"The connection was lost during COMMIT. If the log says success, it took place."
            )
        return -1

    async def _is_in(self, connection: StepConnection, transaction: bytes | None) -> bool:
        if not connection.in_transaction:
            return False
        if connection.ended_transaction:  # or only rolled back to a savepoint
            await self._query(connection, _TRANSACTION_ID.encode(), internal=True)
            return connection.value == transaction
        return True

    async def _stop(self, connection: StepConnection, kill: bool) -> None:
        """Ask the server to cancel until the query in progress has ended; in the end have it end the session."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (KILL_GIVE_UP_SECONDS if kill else CANCEL_GIVE_UP_SECONDS)
        while self._connection is connection and loop.time() < deadline:
            patience = min(CANCEL_REPEAT_SECONDS, deadline - loop.time())
            try:
                await connection.conn.cancel_safe(timeout=patience)
            except (psycopg.Error, OSError) as error:
                logger.debug(Event("cancel_step", error))
            if self._query_end is not None:
                await asyncio.wait([self._query_end], timeout=patience)
        if self._connection is not connection or self._target is None:
            return
        self._output.line(b"The server did not react to cancel requests; the session was to be ended.")
        reason = await end_session(self._target.conninfo, connection)
        if self._connection is connection:
            connection.close(
                f"The session may go on at the server: {reason}." if reason else "The session was ended."
            )

    def _let_go(self) -> None:
        """Give back what the step holds, however it ended."""
        if self._waiting is not None and self._target is not None:
            self._pool.leave(self._target, self._waiting)
            self._waiting = None
        connection, self._connection = self._connection, None
        if connection is not None:
            if (end := self._query_end) is not None and (end.cancelled() or not end.done()):
                connection.abandon()
            if connection.expired:
                self._pool.look_again()
            self._pool.give_back(connection)
