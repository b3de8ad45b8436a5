"""A server connection that runs one query string at a time, and costs little more than libpq itself.

It drives libpq's simple query protocol directly (``conn.pgconn``). pgAgent uses this protocol: VACUUM and several
statements in one step work with it. Rows are read one by one and dropped, so memory holds one, however wide rows are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGconn, PGresult

from .kept_rows import KeptRows
from .output import Output
from .shortages import NO_MEMORY
from .socket_watch import SocketWatch
from .step import LARGEST_RESULT

Called: TypeAlias = "Callable[[Any], object]"  # with the connection
# In front of an internal query: what its names mean, and how long it may take, is not for the database's owner to say.
WITH_OWN_PATH = "SET LOCAL statement_timeout TO 0; SET LOCAL search_path TO pg_catalog, pg_temp; "

# Plain integers: they are compared for every result.
_IDLE = int(pq.TransactionStatus.IDLE)
_INTRANS = int(pq.TransactionStatus.INTRANS)
_SUCCESS = frozenset(
    int(status)
    for status in (
        pq.ExecStatus.COMMAND_OK,
        pq.ExecStatus.TUPLES_OK,
        pq.ExecStatus.SINGLE_TUPLE,
    )
)
_COPY_OUT = int(pq.ExecStatus.COPY_OUT)
_COPY_IN = int(pq.ExecStatus.COPY_IN)
_COPY_BOTH = int(pq.ExecStatus.COPY_BOTH)
_EMPTY_QUERY = int(pq.ExecStatus.EMPTY_QUERY)
_TRANSACTION_TAGS = frozenset((b"COMMIT", b"ROLLBACK", b"PREPARE TRANSACTION"))


class SqlConnection:
    """A connection of the pool of warm connections; *owner* is for the pool's use.

    After a query, ``error`` tells whether it failed, ``rows`` the rows affected by its last statement (None: it had none),
    ``value`` (of an internal query) the first column of its row, ``ended_transaction`` whether one of its
    statements may have ended a transaction. ``spoiled`` means that no other step may use the connection. ``expired``
    means that no other step should. ``text`` is what it executes, or has executed last. ``server`` names the server,
    ``database`` is the id of the database there. ``pooled`` means that a pooler is between, ``shared`` that it gives the
    connection to others between transactions. ``used`` means that a step has had it, ``versions`` are those of
    `freshness` when it was opened.
    """

    __slots__ = (
        "_closed",
        "_internal",
        "_kept",
        "_loop",
        "_on_end",
        "_on_lost",
        "_output",
        "_pgconn",
        "_watch",
        "conn",
        "database",
        "ended_transaction",
        "error",
        "expired",
        "idle_since",
        "opened",
        "owner",
        "pooled",
        "rows",
        "server",
        "shared",
        "spoiled",
        "text",
        "used",
        "value",
        "versions",
    )

    def __init__(self, conn: psycopg.AsyncConnection, owner: object, on_lost: Called) -> None:
        """Take over *conn*, which must be idle; *on_lost* is called if it is lost while no query runs."""
        self.conn = conn
        self.owner = owner
        self.opened = asyncio.get_running_loop().time()
        self.idle_since = 0.0
        self.error = False
        self.rows: int | None = None
        self.value: bytes | None = None
        self.ended_transaction = False
        self.spoiled = False
        self.text = b""
        self.expired = False
        self.server: str | None = None
        self.database = ""
        self.used = False
        self.versions: str | None = None
        self.pooled = self.shared = False
        self._pgconn: PGconn = conn.pgconn
        self._on_lost = on_lost
        self._on_end: Called | None = None
        self._output: Output | None = None
        self._internal = True
        self._kept: KeptRows | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._pgconn.notice_handler = self._notice
        self._watch = SocketWatch(self._pgconn)
        self._watch.read(self._readable)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open and sound."""
        return self._pgconn.transaction_status == _INTRANS

    @property
    def speaks_utf8(self) -> bool:
        """Whether the server takes and sends text in UTF-8, as it did at the start."""
        return self._pgconn.parameter_status(b"client_encoding") == b"UTF8"

    @property
    def stores_utf8(self) -> bool:
        """Whether the database can store any character."""
        return self._pgconn.parameter_status(b"server_encoding") == b"UTF8"

    @property
    def has_encoding(self) -> bool:
        """Whether the database knows what its bytes mean: SQL_ASCII takes them as they come."""
        return self._pgconn.parameter_status(b"server_encoding") != b"SQL_ASCII"

    @property
    def at_rest(self) -> bool:
        """Whether no transaction is open."""
        return self._pgconn.transaction_status == _IDLE

    def query(
        self,
        text: bytes,
        output: Output | None,
        on_end: Called,
        internal: bool = False,
        kept: KeptRows | None = None,
    ) -> None:
        """Send *text*, one or more statements; call *on_end* with this connection when all have ended.

        Command tags, notices, errors and COPY data are written to *output*; no tags if *internal*. *kept* takes rows.
        Raises nothing: an error on this side is reported like one of the server.
        """
        self._begin(output, on_end, internal)
        self._kept = kept
        self.text = text
        try:
            self._pgconn.send_query(text)
            self._pgconn.set_single_row_mode()
            self._flush()
        except psycopg.Error as error:
            self._watch.check()
            self._loop.call_soon(self._fail, str(error))

    async def ask(self, text: str, output: Output | None = None) -> str | None:
        """Send an internal query; return the first column of its last row, or None if it failed."""
        answer: asyncio.Future[SqlConnection] = self._loop.create_future()
        self.query(text.encode(), output, answer.set_result, internal=True)
        try:
            await answer
        except asyncio.CancelledError:
            self.abandon()
            raise
        return None if self.error or self.value is None else self.value.decode()

    def query_params(
        self,
        text: bytes,
        params: Sequence[bytes],
        output: Output | None,
        on_end: Called,
    ) -> None:
        """Send one internal statement with text parameters, otherwise like `query`."""
        self._begin(output, on_end, True)
        try:
            self._pgconn.send_query_params(text, params)
            self._flush()
        except psycopg.Error as error:
            self._watch.check()
            self._loop.call_soon(self._fail, str(error))

    def is_usable(self) -> bool:
        """Look whether the server has said goodbye since the last query."""
        try:
            self._pgconn.consume_input()
            self._pgconn.is_busy()  # parses what came in: a last message spoils the connection
        except psycopg.Error:
            return False
        finally:
            self._watch.check()
        return not self.spoiled

    def close(self, message: str = "") -> None:
        """Close the socket; a query in progress ends with an error and *message*."""
        if self._closed:
            return
        self._closed = self.spoiled = True
        self._watch.stop()
        self._pgconn.finish()
        self._fail(message)

    def abandon(self) -> None:
        """Close the socket; nobody waits for the query in progress any more."""
        self._on_end = None
        self.close()

    def _begin(self, output: Output | None, on_end: Called, internal: bool) -> None:
        self._output = output
        self._internal = internal
        self._kept = None
        self._on_end = on_end
        self.error = False
        self.rows = None
        self.value = None
        self.ended_transaction = False

    def _flush(self) -> None:
        if self._pgconn.flush():
            self._watch.write(self._writable)

    def _writable(self) -> None:
        with contextlib.suppress(psycopg.Error):  # reading finds the same, and reports it
            if self._pgconn.flush():
                return
        if self._watch.check():
            self._watch.stop_write()
        else:
            self._readable()

    def _readable(self) -> None:
        was_idle = self._on_end is None
        try:
            # When the connection is lost, the results say what happened, if possible in the server's words.
            with contextlib.suppress(psycopg.Error):
                self._pgconn.consume_input()
            self._take_results()
        except psycopg.Error as error:
            self._fail(str(error))
        except MemoryError:
            if self._output is not None:
                self._output.lose()
            self.close(NO_MEMORY)
        if not self._watch.check():
            self.spoiled = True
            if was_idle:
                self._on_lost(self)
            else:
                self._fail(self._pgconn.get_error_message())  # there is no more to come

    def _take_results(self) -> None:
        pgconn = self._pgconn
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                self._end()
                return
            complete = self._take(result)
            del result  # is_busy() copies the next row
            if not complete:
                break
        while pgconn.notifies() is not None:
            pass  # a step may LISTEN; nobody reads what it hears

    def _take(self, result: PGresult) -> bool:
        """Note one result; False when the rest of it is still to come."""
        status = result.status
        if status in _SUCCESS:
            self._take_tag(result)
        elif status == _COPY_OUT:
            return self._take_copy_data()
        elif status == _COPY_IN:
            self._refuse_copy_data()
        elif status == _COPY_BOTH:
            # A replication stream has no end but the connection's.
            self._loop.call_soon(self.close, "a step can't run a replication stream")
            return False
        elif status != _EMPTY_QUERY:
            self.error = True
            if self._output is not None:
                self._output.fail(result.error_message.rstrip(b"\n"))
        return True

    def _take_tag(self, result: PGresult) -> None:
        if self._internal:
            if result.ntuples:
                self.value = result.get_value(0, 0)
            return
        tag = result.command_status
        if self._kept is not None and self._output is not None:
            self._output.write(self._kept.take(result, last=bool(tag)))
        if tag:  # a statement's rows come in several results; only the last of them has the tag
            self.rows = min(result.command_tuples or 0, LARGEST_RESULT)
            if tag in _TRANSACTION_TAGS:
                self.ended_transaction = True
            if self._output is not None:
                self._output.write(tag + b"\n")

    def _take_copy_data(self) -> bool:
        while True:
            size, data = self._pgconn.get_copy_data(1)
            if size == 0:
                return False
            if size < 0:
                return True
            if self._output is not None:
                self._output.write(data)

    def _refuse_copy_data(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self._pgconn.put_copy_end(b"an SQL step has no standard input")
            self._flush()

    def _notice(self, result: PGresult) -> None:
        if self._output is not None:
            self._output.write(result.error_message or b"")
        elif self._on_end is None:
            self.spoiled = True  # unasked, a server speaks only to end the connection

    def _end(self) -> None:
        on_end, self._on_end = self._on_end, None
        self._output = None
        if not self._watch.check():
            self.spoiled = True
        if on_end is not None:
            on_end(self)

    def _fail(self, message: str) -> None:
        """End the query in progress, if any, with an error found on this side."""
        if self._on_end is None:
            return
        self.error = self.spoiled = True
        if message and self._output is not None:
            self._output.fail(message.rstrip("\n").encode())
        self._end()
