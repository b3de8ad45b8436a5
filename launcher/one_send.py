"""A step in one send: what tells it its ids, its text, and the reset of its session go to the server at once.

libpq takes a query when the one before has been answered, so that a short step costs three round trips, each of which wakes
up both sides. Here libpq holds the connection for idle, while its socket is read and written by the frontend/backend
protocol, version 3.

The server executes what it is sent even if what came before has failed. But the text must not be executed unless the ids are
set: a cancel request may come before. So between the two goes a guard by the extended protocol, after an error of which the
server skips all messages until one that is never sent. The guard's SAVEPOINT fails unless the query with the ids has come to
its end, which is to begin a transaction.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

from .output import Output
from .server_words import fields_of, is_fatal, notice_words, words
from .step import LARGEST_RESULT

READ_BYTES = 65536
HEADER = 5  # bytes of a message before its body: its type, and its length, which counts itself
_header = Struct(">BI").unpack_from
IDLE = b"I"  # the transaction status of a session without a transaction
GUARDS = (b"SAVEPOINT pgagent_py", b"COMMIT")
# The types of the server's messages that matter here
COMPLETE, DATA_ROW, ERROR, NOTICE, READY = b"CDENZ"


class Phase(IntEnum):
    """What the server is at."""

    IDS = 0
    GUARD = 1
    STEP = 2
    RESET = 3
    OVER = 4


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def _query(text: bytes) -> bytes:
    return _message(b"Q", text + b"\0")


def _extended(statement: bytes) -> bytes:
    """Return the messages that execute a statement by the extended protocol: parse, bind, execute."""
    return _message(b"P", b"\0" + statement + b"\0\0\0") + _message(b"B", bytes(8)) + _message(b"E", bytes(5))


_GUARD = b"".join(map(_extended, GUARDS))
_RESET = _query(b"DISCARD ALL")


def messages(ids: bytes, text: bytes) -> bytes:
    """Return what is sent: *ids*, statements that set them, the guard, the step's *text*, the reset."""
    return _query(ids + b"; BEGIN") + _GUARD + _query(text) + _RESET


class Answers:
    """What the server answers; `take` gets it in pieces of any size.

    ``phase`` is what the server is at. ``error`` tells whether the step has failed, ``rows`` are those affected by its last
    statement (None: it had none). ``status`` is the transaction status at its end. ``unbegun`` means that the session has ended
    before the text was executed. ``broken`` means that the session is of no more use.
    """

    __slots__ = (
        "_guards",
        "_left",
        "_need",
        "_output",
        "_rest",
        "_text",
        "broken",
        "error",
        "phase",
        "rows",
        "status",
        "unbegun",
    )

    def __init__(self, text: str, output: Output) -> None:
        """Expect the answers to the step *text*; tags, notices and errors go to *output*."""
        self._text = text
        self._output = output
        self._rest = bytearray()  # the beginning of a message
        self._need = HEADER  # bytes of it before anything can be done
        self._left = 0  # bytes of a row that are still to come
        self._guards = len(GUARDS)
        self.phase = Phase.IDS
        self.error = self.unbegun = self.broken = False
        self.rows: int | None = None
        self.status = b""

    @property
    def step_ended(self) -> bool:
        """Whether nothing more will come of the step itself."""
        return self.phase > Phase.STEP or self.broken

    @property
    def over(self) -> bool:
        """Whether there is no more to read."""
        return self.phase == Phase.OVER or self.broken

    def take(self, data: bytes) -> None:
        """Read a piece of the answers."""
        if self._left:
            dropped = min(self._left, len(data))
            self._left -= dropped
            data = data[dropped:]
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return
            data, self._rest = bytes(self._rest), bytearray()
        start, end = 0, len(data)
        self._need = HEADER
        said: list[bytes] = []  # written together: there may be millions
        while end - start >= HEADER:
            kind, size = _header(data, start)
            size += 1
            if start + size > end:
                if kind == DATA_ROW:  # it may be longer than what there is of memory
                    self._left = start + size - end
                    start = end
                self._need = size
                break
            if kind == NOTICE:
                if self.phase == Phase.STEP:
                    said.append(notice_words(data[start + HEADER : start + size], self._text))
            elif kind != DATA_ROW:
                self._say(said)
                self._take(kind, data[start + HEADER : start + size])
            start += size
        self._say(said)
        self._rest += data[start:]

    def _say(self, said: list[bytes]) -> None:
        if said:
            self._output.write(b"".join(said))
            said.clear()

    def _take(self, kind: int, body: bytes) -> None:
        if kind == READY:
            self._take_ready(body)
        elif kind == COMPLETE:
            self._take_tag(body[:-1])
        elif kind == ERROR:
            self._take_error(body)

    def _take_ready(self, status: bytes) -> None:
        if self.phase == Phase.STEP:
            self.status = status
        self.phase = Phase(self.phase + 1)

    def _take_tag(self, tag: bytes) -> None:
        if self.phase == Phase.STEP:
            count = tag.rpartition(b" ")[2]
            self.rows = min(int(count), LARGEST_RESULT) if count.isdigit() else 0
            self._output.write(tag + b"\n")
        elif self.phase == Phase.GUARD:
            self._guards -= 1
            if not self._guards:
                self.phase = Phase.STEP

    def _take_error(self, body: bytes) -> None:
        fields = fields_of(body)
        if self.phase <= Phase.STEP:
            self.unbegun = self.phase < Phase.STEP and is_fatal(fields)
            if not (self.unbegun or self.error):  # the guard's own words say nothing
                self.error = True
                self._output.fail(words(fields, self._text, error=True).rstrip(b"\n"))
                if self.phase < Phase.STEP:
                    self._output.line(b"The step has not begun.")
        # The reset fails where the step has left a transaction open, which is no reason to end the session.
        self.broken = (
            self.broken or self.phase < Phase.STEP or (self.phase > Phase.STEP and self.status == IDLE)
        )
