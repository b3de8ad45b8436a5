"""Every statement of plpython/ is prepared by a real server: its tables, columns and types are those that there are."""

import importlib
import pkgutil
import re
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg.pq import ExecStatus

import plpython
from plpython.ground.plan import STATEMENTS

for module in pkgutil.walk_packages(plpython.__path__, "plpython."):
    importlib.import_module(module.name)

# What import_pg_cron reads, where pg_cron is.
CRON = """
CREATE SCHEMA cron;
CREATE TABLE cron.job (jobid bigint, schedule text, command text, nodename text, nodeport integer, database text, username text,
                       active boolean, jobname text)"""


@pytest.fixture
def db(db: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Return a connection with the search_path that our functions have."""
    for statement in CRON.split(";"):
        db.execute(statement.encode())
    db.execute("SET search_path = pg_catalog, pg_temp")
    return db


def columns(db: psycopg.Connection[Any], sql: str, types: Sequence[str]) -> list[str]:
    """Have the server prepare a statement; return the names of its result's columns."""
    oids = db.execute("SELECT t::regtype::oid::int8 FROM unnest(%s::text[]) t", [list(types)]).fetchall()
    for result in (
        db.pgconn.prepare(b"", sql.encode(), [oid for (oid,) in oids]),
        db.pgconn.describe_prepared(b""),
    ):
        assert result.status == ExecStatus.COMMAND_OK, f"{result.error_message.decode()}\n{sql}"
    return [(result.fname(number) or b"").decode() for number in range(result.nfields)]


def test_every_statement_fits_the_database(db: psycopg.Connection[Any]) -> None:
    assert len(STATEMENTS) > 100
    for statement in STATEMENTS:
        columns(db, statement.sql, statement.types)


def test_every_statement_has_the_parameters_that_its_types_are_for() -> None:
    for statement in STATEMENTS:
        numbers = {int(number) for number in re.findall(r"\$(\d+)", statement.sql)}
        assert numbers == set(range(1, len(statement.types) + 1)), statement.sql


def test_rows_have_the_columns_of_their_type(db: psycopg.Connection[Any]) -> None:
    typed = [statement for statement in STATEMENTS if statement.row is not None]
    assert typed
    for statement in typed:
        names = columns(db, statement.sql, statement.types)
        assert sorted(names) == sorted(statement.row.__annotations__), statement.sql


@pytest.mark.parametrize(
    ("sql", "types"), [("SELECT j.jobname FROM pgagent.pga_jobs j", []), ("SELECT abs($1)", ["text"])]
)
def test_a_statement_that_does_not_fit_is_found(
    db: psycopg.Connection[Any], sql: str, types: list[str]
) -> None:
    with pytest.raises(AssertionError, match=r"does not exist"):
        columns(db, sql, types)
