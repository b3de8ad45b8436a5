"""The log: what others have written into a message can't pass for a line of ours, or steer a terminal."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import datetime
from types import TracebackType

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
INDENT = "    "  # no line of ours begins so
TEXT, JSON = "text", "json"  # --log-format
LONGEST_WORDS = 1000  # characters of a message that others may have written

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

logger = logging.getLogger("pgagent_py")

# Set by a launcher of many databases: the one that what is done now is about. What a task begins has the same.
database: ContextVar[str | None] = ContextVar("database", default=None)


class Event:
    """A message of the log: what happened, the fields that name to whom, and words."""

    __slots__ = ("action", "fields", "words")

    def __init__(self, action: str, words: object = "", /, **fields: object) -> None:
        """Fields that are None are left out. The names of fields are those of the JSON format."""
        self.action = action
        self.words = words
        self.fields = fields

    def shown(self) -> Iterator[tuple[str, object]]:
        """Yield names and values, as JSON can have them."""
        yield "action", self.action
        for name, value in (("database", database.get()), *self.fields.items()):
            if value is not None:
                yield name, value if isinstance(value, str | int | float) else str(value)

    def message(self) -> str:
        """Return the words; those of others may be long."""
        words = str(self.words)
        return words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]}..."

    def __str__(self) -> str:
        """Return what the text format has."""
        fields = [f"{name}={_token(value)}" for name, value in self.shown()]
        return " ".join([*fields, self.message()] if self.words else fields)


def _token(value: object) -> str:
    """Return a value that ends where it seems to end: in quotation marks unless it is one plain word."""
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    plain = text.isprintable() and not any(c.isspace() or c in "\"'=\\" for c in text)
    return text if plain and text else json.dumps(text, ensure_ascii=False)


def printable(text: str) -> str:
    """Return *text* with all that is not printable, also ends of lines, as escapes of Python's."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class LogFormatter(logging.Formatter):
    """One line per message. Those of a traceback are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the line of a message."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802
        """Return the lines of a traceback."""
        return "\n".join(INDENT + printable(line) for line in super().formatException(ei).split("\n"))


class JsonFormatter(logging.Formatter):
    """One JSON object per line, a traceback included; all that is not ASCII is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object of a message."""
        event = record.msg if isinstance(record.msg, Event) else Event(record.name, record.getMessage())
        fields = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            **dict(event.shown()),
        }
        if event.words:
            fields["message"] = event.message()
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields)


class LogFile(logging.FileHandler):
    """A log file that may be moved away: the next line goes to a new file of its name."""

    def __init__(self, file: str) -> None:
        """Open the file. Raises `OSError`."""
        super().__init__(file, encoding="utf-8", errors="backslashreplace")
        self._complained = False
        self._error: BaseException | None = None  # of the last line

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. If it can't be written, for example to a full disk, that is said once on stderr."""
        if self._is_moved():
            self.reopen()
        before, self._error = self._error, None
        super().emit(record)
        if self._error is not None and before is None:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"pgagent-py: the log file can't be written: {self._error}\n")
                sys.stderr.flush()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002
        """Keep the error of a line; the default would write a traceback for each."""
        self._error = sys.exc_info()[1]

    def reopen(self) -> None:
        """Open the file again. If that fails, what is open is kept, and that is said once."""
        old = self.stream
        try:
            self.stream = self._open()
        except OSError as error:
            if not self._complained:
                super().emit(
                    _warning(Event("open_log", f"the log file can't be opened again: {error.strerror}"))
                )
            self._complained = True
        else:
            self._complained = False
            if old is not None:
                old.close()

    def _is_moved(self) -> bool:
        try:
            there = os.stat(self.baseFilename)  # noqa: PTH116 - for each line
        except OSError:
            return True
        return self.stream is None or not os.path.samestat(there, os.fstat(self.stream.fileno()))


def _warning(event: Event) -> logging.LogRecord:
    return logging.LogRecord(logger.name, logging.WARNING, "", 0, event, None, None)


def open_log(file: str | None, level: int, log_format: str = TEXT) -> None:
    """Log to *file*, or to stderr. Raises `OSError`."""
    handler = logging.StreamHandler() if file is None else LogFile(file)
    handler.setFormatter(JsonFormatter() if log_format == JSON else LogFormatter(LOG_FORMAT))
    logging.basicConfig(handlers=[handler], level=level)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def reopen_log() -> None:
    """Open the log file again: somebody has moved it away. A log that goes to stderr stays as it is."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LogFile):
            handler.reopen()
    logger.info(Event("open_log"))
