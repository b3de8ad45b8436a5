"""Sessions of other roles, and what they are refused."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from tests.helpers import Db, rows

SECRET = "SELECT 'the secret of the other job'"


@contextmanager
def login(database: str, role: str) -> Iterator[Db]:
    """Log in as a role, with autocommit."""
    with psycopg.connect(make_conninfo(database, user=role), autocommit=True) as connection:
        yield connection


def refusal(db: Db, query: str, parameters: Any = None) -> tuple[str, str | None, str | None]:
    """Return SQLSTATE, message and hint of the error that a query gives."""
    with pytest.raises(psycopg.Error) as caught:
        db.execute(query.encode(), parameters)
    return caught.value.sqlstate or "", caught.value.diag.message_primary, caught.value.diag.message_hint


# Arguments for one call of any function of the API, by name: the right kind of thing, and it belongs to bob.
def call_with(function: dict[str, Any], bobs: dict[str, int], text: str) -> tuple[sql.Composed, list[Any]]:
    arguments, values = [], []
    subjects = {"job": "job", "after": "job", "step": "step", "from_step": "step", "schedule": "schedule",
                "run": "run", "exception": "exception", "message": "message", "jslid": "log"}  # fmt: skip
    for name, type_, optional in zip(function["names"], function["types"], function["optional"], strict=True):
        if name in subjects and type_ == "integer":
            given: Any = bobs[subjects[name]]
        elif type_ in ("text", "name"):
            given = text
        elif optional:
            continue
        else:
            given = {"integer": 1, "interval": "1 hour", "jsonb": json.dumps({"jobs": []}), "uuid": str(psycopg_uuid),
                     "timestamp with time zone": "2040-01-01", "boolean": True, "date[]": "{2040-01-01}",
                     "bigint[]": "{1}", "text[]": "{x}", "boolean[]": "{t}", "integer[]": "{1}",
                     "tid": "(0,1)", "xid": "1", "cid": "0", "double precision": 1.0,
                     "pgagent_py.step_result[]": "{}"}[type_]  # fmt: skip
        arguments.append(sql.SQL("{} => %s::" + type_).format(sql.Identifier(name)))
        values.append(given)
    call = sql.SQL("SELECT * FROM pgagent_py.{}({})")
    return call.format(sql.Identifier(function["name"]), sql.SQL(", ").join(arguments)), values


psycopg_uuid = "00000000-0000-0000-0000-000000000001"
FUNCTIONS = """
SELECT p.proname AS name, coalesce(p.proargnames[1:p.pronargs], '{}') AS names,
       ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, n) ORDER BY n) AS types,
       ARRAY(SELECT n > p.pronargs - p.pronargdefaults FROM generate_series(1, p.pronargs) n) AS optional
  FROM pg_catalog.pg_proc p
 WHERE p.pronamespace = 'pgagent_py'::regnamespace AND p.prorettype <> 'trigger'::regtype
 ORDER BY p.proname, p.oid"""


def functions(db: Db) -> list[dict[str, Any]]:
    with db.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(FUNCTIONS).fetchall()
    assert len(found) > 20
    return found


def snapshot(db: Db) -> list[Any]:
    """Return all rows of pgagent's and our tables but those that alice may have added."""
    tables = rows(
        db,
        """SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r'
                          AND c.relnamespace IN ('pgagent'::regnamespace, 'pgagent_py'::regnamespace) ORDER BY 1""",
    )
    return [rows(db, f"SELECT t::text FROM {table} t ORDER BY 1") for (table,) in tables]


def hand_out(database: str) -> list[dict[str, Any]]:
    """Take one turn as a launcher, and leave."""
    with login(database, "starter") as starter, starter.cursor(row_factory=dict_row) as cursor:
        starter.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'x')")
        found = cursor.execute("SELECT * FROM pgagent_py.run_due(100)").fetchall()
        starter.execute("SELECT pgagent_py.stop_agent()")
    return found
