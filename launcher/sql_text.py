"""A step's text as its session takes it."""

from __future__ import annotations

from .sql_connection import SqlConnection
from .sql_statements import Statement, StatementError
from .step import StepRun


def code_of(run: StepRun) -> str:
    """Return the code to execute: a byte order mark, which editors leave in front, is no SQL."""
    return run.jstcode.removeprefix("\ufeff")


def standard_strings(connection: SqlConnection) -> bool:
    """Return whether a backslash in '...' is a mere character now."""
    return connection.conn.pgconn.parameter_status(b"standard_conforming_strings") != b"off"


def encoded(connection: SqlConnection, statement: Statement) -> bytes:
    """Return a statement in the client_encoding that an earlier one may have set; `StatementError` if that lacks a character."""
    if connection.conn.pgconn.parameter_status(b"client_encoding") in (b"UTF8", b"SQL_ASCII"):
        return statement.text.encode()
    try:
        return statement.text.encode(connection.conn.info.encoding)
    except UnicodeEncodeError as error:
        character = statement.text[error.start]
        raise StatementError(
            f'the character "{character}" in the statement in line {statement.line} is not in the client_encoding that is set'
        ) from None
