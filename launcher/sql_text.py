"""A step's text as its session takes it."""

from __future__ import annotations

from psycopg import sql

from .sql_connection import SqlConnection
from .sql_statements import Statement, StatementError
from .step import StepRun

# Though these are six statements, they cost a third less than one SELECT of set_config() for all.
_IDS = (
    "SET {0} pgagent_py.job_id = '%d'; SET {0} pgagent_py.run_id = '%d'; SET {0} pgagent_py.step_id = '%d';"
    " SET {0} pgagent_py.parameters = '{{}}'; SET {0} pgagent_py.due = '%s'; SET {0} pgagent_py.previous_due = '%s'"
)
SET_IDS, SET_LOCAL_IDS = _IDS.format("SESSION"), _IDS.format("LOCAL")


def with_ids(text: str, run: StepRun) -> bytes:
    """Return the statements SET_IDS or SET_LOCAL_IDS, also among others, with the ids of a step."""
    return (text % (run.jobid, run.jlgid, run.jstid, run.due or "", run.previous_due or "")).encode()


def is_plain(run: StepRun) -> bool:
    """Return whether nothing but the ids comes before a step's code, and nothing else is to be done with it."""
    return not (run.jstatomic or run.separately or run.keep_rows or run.jobparameters or run.traceparent)


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


def finish(connection: SqlConnection, run: StepRun, rows: int, output: str, seconds: float) -> bytes:
    """Return the statements that end an atomic step: its success is booked, and all is committed."""
    if not connection.stores_utf8:  # all other characters came from this server
        output = output.replace("\N{REPLACEMENT CHARACTER}", "?")
    # The step may have set a role, which may not book. What it has deferred is done first, with that role's rights.
    query = sql.SQL(
        "SET CONSTRAINTS ALL IMMEDIATE; RESET SESSION AUTHORIZATION; RESET ROLE;"
        " SELECT pgagent_py.finish_step({}, {}, {}, pg_catalog.make_interval(secs => {})); COMMIT"
    ).format(run.jslid, rows, output, seconds)
    return query.as_bytes(connection.conn)
