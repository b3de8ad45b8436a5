"""What can go wrong, as one sentence, a hint and an exit status."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

import psycopg

from .wording import in_own_words

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


# What the extension's absence looks like, or that of what an older one lacks: no schema, table, function or column.
NOT_THERE = ("3F000", "42P01", "42883", "42703")


def from_server(
    error: psycopg.Error,
    options: Mapping[str, str],
    connection: psycopg.Connection[dict[str, str | None]] | None,
) -> CommandError:
    """Return what an error of psycopg or of the server means to the user of a command with these *options*."""
    state = error.sqlstate or ""
    message = error.diag.message_primary or _first_line(error)
    hint = in_own_words(error.diag.message_hint or "", options)
    if state == "57014":
        return CommandError(message, hint or TIMEOUT_HINT, BAD)
    if not state or state[:2] in ("08", "28", "3D", "53", "57"):
        told = PASSWORD_HINT if "password" in message else CONNECTION_HINT
        return CommandError(message, hint or told, NO_RIGHT)
    if state in NOT_THERE and connection is not None and (found := _lacking_extension(connection)):
        return found
    if state == "42501":
        return CommandError(message, hint or RIGHT_HINT, NO_RIGHT)
    return CommandError(message, hint)


CONNECTION_HINT = "Give a connection string with -d, or set PGHOST, PGDATABASE, PGUSER or PGSERVICE."
PASSWORD_HINT = "Put the password into ~/.pgpass or a service file, or set PGPASSWORD."
RIGHT_HINT = "Connect as the owner of the job, or as a role that may edit pgAgent's tables."
TIMEOUT_HINT = "PGOPTIONS='-c statement_timeout=0' takes off what is set for the role or the database."

EXTENSION = """
SELECT current_database()::text AS database,
       (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'pgagent_py') AS version"""


def _lacking_extension(connection: psycopg.Connection[dict[str, str | None]]) -> CommandError | None:
    """Return the error if the database has no extension, or an older one than this command."""
    row = connection.execute(EXTENSION).fetchone()
    assert row is not None
    database, installed, own = row["database"], row["version"], version("pgagent_py")
    if installed is None:
        hint = "If this is the database that the jobs are to be in: CREATE EXTENSION pgagent_py CASCADE;"
        return CommandError(f'database "{database}" has no extension pgagent_py', hint, NO_RIGHT)
    if _numbers(installed) >= _numbers(own):
        return None
    what = f'database "{database}" has version {installed} of the extension, and this command is of {own}'
    return CommandError(what, "ALTER EXTENSION pgagent_py UPDATE;", NO_RIGHT)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


def _first_line(error: psycopg.Error) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
