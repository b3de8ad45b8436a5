"""Errors whose text is meant for the user."""

from __future__ import annotations

import re

from .plpy import SPIError

__all__ = ["PgAgentError", "invalid", "plain_message", "server_message", "spi_details", "sqlstate"]

INVALID_PARAMETER_VALUE = "22023"


class PgAgentError(Exception):
    """A request that can't be met: *message* says why, *hint* what to do, *sqlstate* the class."""

    def __init__(
        self, message: str, hint: str | None = None, sqlstate: str = INVALID_PARAMETER_VALUE
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.sqlstate = sqlstate


def invalid(argument: str, message: str, hint: str | None = None) -> PgAgentError:
    """Return the error for a bad value of the SQL argument *argument*, which its text names.

    *message* may name it itself; else it is put in front.
    """
    if not re.search(rf"\b{argument}\b", message):
        message = f"{argument}: {message}"
    return PgAgentError(message, hint)


# Errors that PL/Python does not pass on, in words that help.
NOT_HERE = {
    "SPI_ERROR_TRANSACTION": "COMMIT, ROLLBACK and SAVEPOINT do not work in a step that run_due() executes in a session",
    "SPI_ERROR_COPY": "COPY FROM STDIN and TO STDOUT do not work in a step that run_due() executes in a session",
}


def sqlstate(error: SPIError) -> str:
    """Return the SQLSTATE of an error. The exception has no attribute for one that PostgreSQL has no name for."""
    code = (getattr(error, "spidata", None) or [0])[0]
    return "".join(chr((code >> 6 * place & 0x3F) + ord("0")) for place in range(5)) if code else "XX000"


def spi_details(error: SPIError) -> tuple[str | None, str | None, str | None, int | None]:
    """Return detail, hint, statement and position in it (from 1) of an error: attributes that the exception does not have."""
    _, detail, hint, query, position, *_ = getattr(error, "spidata", None) or [None] * 5
    return detail, hint, query, position


# What PL/Python puts before the words of an error that has come through another of its functions.
INNER = re.compile(r"(?:(?:spiexceptions|plpy)\.\w+: )+")


def plain_message(error: SPIError) -> str:
    """Return the message of an error as the server has said it first."""
    message = str(error)
    inner = INNER.match(message)
    return message[inner.end() :] if inner else message


def server_message(error: SPIError) -> str:
    """Return the whole message of an error, as psql would show it."""
    message = str(error)
    for code, words in NOT_HERE.items():
        if message.endswith(code):
            message = words
    lines = [f"ERROR:  {message}"]
    detail, hint, query, position = spi_details(error)
    if query and position:
        lines += _place(query, position - 1)
    lines += [f"{name}:  {text}" for name, text in (("DETAIL", detail), ("HINT", hint)) if text]
    return "\n".join(lines)


def _place(query: str, position: int) -> list[str]:
    """Return the line of *query* in which *position* is, cut if it is long, and a line with a caret below it."""
    number = query.count("\n", 0, position) + 1
    start = query.rfind("\n", 0, position) + 1
    line, column = query[start:].partition("\n")[0].replace("\t", " "), position - start
    cut = max(0, column - 60)
    head = f"LINE {number}: " + ("..." if cut else "")
    return [head + line[cut : cut + 80], " " * (len(head) + column - cut) + "^"]
