"""A connection that takes a step in one send where that can be, and otherwise as any other does."""

from __future__ import annotations

import contextlib
import os

import psycopg

from .one_send import IDLE, READ_BYTES, Answers, messages
from .output import Output
from .shortages import NO_MEMORY
from .sql_connection import Called, SqlConnection

# A connection that has just answered is there. One that has been idle may be lost without a word, and nobody could tell then
# whether the server has got what was sent.
SURE_SECONDS = 1.0
COPY = "copy"  # in lower case: what asks for data would take the reset for it
LARGE = 10_000  # characters of a text that goes by itself


class StepConnection(SqlConnection):
    """A connection of the pool.

    ``plain`` means that it leads to the launcher's own server, unencrypted and without a pooler. ``unbegun`` means that the last
    step was lost before the server had begun it.
    """

    __slots__ = ("_answered_at", "_answers", "_receiving", "_unsent", "plain", "unbegun")

    def __init__(self, conn: psycopg.AsyncConnection, owner: object, on_lost: Called) -> None:
        """Take over *conn*, as `SqlConnection` does."""
        self._answers: Answers | None = None  # to what was sent last, unless by libpq
        self._receiving = False
        self._unsent = b""
        self._answered_at = 0.0
        self.plain = False
        self.unbegun = False
        super().__init__(conn, owner, on_lost)

    def takes_one_send(self, text: str) -> bool:
        """Return whether a step with this *text* can go in one send."""
        return (
            self.plain
            and len(text) < LARGE
            and COPY not in text.lower()
            and self.speaks_utf8
            and self._loop.time() < self._answered_at + SURE_SECONDS
        )

    def send_step(self, ids: bytes, text: str, output: Output, on_end: Called) -> None:
        """Have the server set *ids*, execute *text*, and reset the session; call *on_end* after the text, as `query` does."""
        self._begin(output, on_end, False)
        self.text = text.encode()
        self._answers = Answers(text, output)
        self._unsent = messages(ids, self.text)
        self._receiving = True
        try:
            self._write()
        except OSError:
            self.unbegun = True
            self._loop.call_soon(self._fail, "")

    def reset(self, on_end: Called) -> None:
        """Make the session as good as new; *on_end* is called as by `query`."""
        if self._receiving:
            self._on_end = lambda _: self._end_reset(on_end)
        else:
            self._end_reset(on_end)

    @property
    def at_rest(self) -> bool:
        """Whether no transaction is open."""
        return super().at_rest if self._answers is None else self._answers.status == IDLE

    def _begin(self, output: Output | None, on_end: Called, internal: bool) -> None:
        self._answers = None
        self.unbegun = False
        super()._begin(output, on_end, internal)

    def _end(self) -> None:
        self._answered_at = self._loop.time()
        super()._end()

    def _end_reset(self, on_end: Called) -> None:
        """Go on after the reset that was sent with the step, if so: it fails where the step has left a transaction open."""
        if not self.at_rest:
            self.query(b"ROLLBACK", None, lambda _: self._rolled_back(on_end), internal=True)
        elif self._answers is None:
            self.query(b"DISCARD ALL", None, on_end, internal=True)
        else:
            self.error = self.spoiled  # the step's own error is over
            on_end(self)

    def _rolled_back(self, on_end: Called) -> None:
        if self.error or not self.at_rest:
            on_end(self)
        else:
            self.query(b"DISCARD ALL", None, on_end, internal=True)

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._unsent = self._unsent[os.write(self._watch.fd, self._unsent) :]
        if self._unsent:
            self._watch.write(self._writable)

    def _writable(self) -> None:
        if not self._unsent:
            super()._writable()
            return
        with contextlib.suppress(OSError):  # reading finds the same, and reports it
            self._write()
        if not self._unsent:
            self._watch.stop_write()

    def _readable(self) -> None:
        if not self._receiving or self._answers is None:
            super()._readable()
            return
        try:
            data = os.read(self._watch.fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            if data:
                self._take_answers(self._answers, data)
            else:
                self._lose()
        except MemoryError:
            if self._output is not None:
                self._output.lose()
            self.close(NO_MEMORY)

    def _take_answers(self, answers: Answers, data: bytes) -> None:
        had_ended = answers.step_ended
        answers.take(data)
        self._receiving = not answers.over
        self.spoiled = self.spoiled or answers.broken
        if answers.step_ended and not had_ended:
            self.error, self.rows, self.unbegun = answers.error, answers.rows, answers.unbegun
            self._end()
        elif answers.over:
            self._end()

    def _lose(self) -> None:
        """End what is in progress with libpq's words on the loss of the connection."""
        self._receiving = False
        self.spoiled = True
        with contextlib.suppress(psycopg.Error):
            self._pgconn.consume_input()
        message = self._pgconn.get_error_message()
        self._watch.check()
        self._fail(message)
