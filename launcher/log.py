"""The log: what others have written into a message can't pass for a line of ours, or steer a terminal."""

from __future__ import annotations

import logging
from types import TracebackType

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
INDENT = "    "  # no line of ours begins so

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


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


def open_log(file: str | None, level: int) -> None:
    """Log to *file*, or to stderr. Raises `OSError`."""
    logging.basicConfig(filename=file, level=level)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(LogFormatter(LOG_FORMAT))
    logging.getLogger("asyncio").setLevel(logging.WARNING)
