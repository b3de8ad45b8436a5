"""What can go wrong, as one sentence, a hint and an exit status."""

from __future__ import annotations

import psycopg

DONE, BAD, WRONG_USE, NO_RIGHT, INTERRUPTED = 0, 1, 2, 3, 130


class CommandError(Exception):
    """The command can't go on. *message* is one sentence, *hint* says what to do."""

    def __init__(self, message: str, hint: str = "", status: int = WRONG_USE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status


class FileError(CommandError):
    """Files have mistakes. The message has a line FILE:LINE: WHAT for each, as compilers write them."""


# What the extension's absence looks like: no schema, table or function.
NOT_THERE = ("3F000", "42P01", "42883", "42703")


def from_server(error: psycopg.Error) -> CommandError:
    """Return what an error of psycopg or of the server means to the user."""
    state = error.sqlstate or ""
    message = error.diag.message_primary or _first_line(error)
    hint = error.diag.message_hint or ""
    if not state or state[:2] in ("08", "28", "3D", "53", "57"):
        return CommandError(message, hint or CONNECTION_HINT, NO_RIGHT)
    if state in NOT_THERE and "pgagent" in message:
        return CommandError(message, NO_EXTENSION, NO_RIGHT)
    if state == "42501":
        return CommandError(message, hint or RIGHT_HINT, NO_RIGHT)
    return CommandError(message, hint)


CONNECTION_HINT = "Give a connection string with -d, or set PGHOST, PGDATABASE, PGUSER or PGSERVICE."
RIGHT_HINT = "Connect as the owner of the job, or as a role that may edit pgAgent's tables."
NO_EXTENSION = (
    "Is this the database with the jobs? There it takes CREATE EXTENSION pgagent_py CASCADE, "
    "or ALTER EXTENSION pgagent_py UPDATE after an upgrade."
)


def _first_line(error: psycopg.Error) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
