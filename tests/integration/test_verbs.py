"""The registry of verbs beside the SQL functions that pass them on, and what the gate says of requests that are none."""

import json
import re
from typing import Any

import psycopg
import pytest

from plpython.api.verbs import VERBS

Connection = psycopg.Connection[Any]

# run_due() registers a session by it: no user calls it by itself.
# send_email() calls the other, after its query.
WITHOUT_FUNCTION = {"start_session", "queue_email", "email_room"}

FUNCTIONS = """
SELECT p.proname::text, p.prosrc,
       ARRAY(SELECT a.name FROM unnest(p.proargnames, p.proargmodes) a (name, mode) WHERE coalesce(a.mode, 'i') = 'i')
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.pronamespace = 'pgagent_py'::regnamespace AND l.lanname = 'plpgsql'
   AND p.prosrc LIKE '%answer jsonb := pgagent_py.\\_ask(%'"""


# Counts the statements that this session's Python executes from now on.
COUNT = """
DO LANGUAGE plpython3u $$
import sys
plan = sys.modules["pgagent_py.ground.plan"].Statement
real, sys.executed = plan.__call__, []
def call(self, *given):
    sys.executed.append(self.sql)
    return real(self, *given)
plan.__call__ = call
sys.modules["pgagent_py.ground.bounds"].COUNT_SECONDS = 1e9
$$;
CREATE FUNCTION executed() RETURNS text[] LANGUAGE plpython3u AS
'import sys; found = sys.executed; sys.executed = []; return found'"""
MOST_STATEMENTS = {"editor": 7, "owner": 11}


def ask(db: Connection, verb: str | None, arguments: Any) -> Any:
    row = db.execute("SELECT pgagent_py._ask(%s, %s)", [verb, json.dumps(arguments)]).fetchone()
    assert row
    return row[0]


def test_each_verb_has_its_function_and_each_function_its_verb(db: Connection) -> None:
    functions = {name for name, _, _ in db.execute(FUNCTIONS)}
    assert functions == VERBS.keys() - WITHOUT_FUNCTION
    assert VERBS.keys() >= WITHOUT_FUNCTION


def test_a_function_passes_on_all_arguments_of_its_verb(db: Connection) -> None:
    """By their names in SQL."""
    for verb, source, arguments in db.execute(FUNCTIONS):
        assert f"_ask('{verb}'" in source
        assert set(arguments) == VERBS[verb].arguments.keys(), verb
        keys = re.findall(rf"'(\w+)',\s*(?:extract\(epoch FROM )?{verb}\.", source)
        assert sorted(keys) == sorted(arguments), verb


@pytest.mark.parametrize("verb", ["", "drop_table", "__init__", "add_job; DROP TABLE x", None])
def test_a_verb_that_is_none_is_refused_by_name(db: Connection, verb: str | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        ask(db, verb, {})
    assert caught.value.diag.message_primary == f'verb "{verb}" is unknown'
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("verb", "arguments", "words"),
    [
        ("add_job", {"name": "x", "caller": "postgres"}, 'add_job has no argument "caller"'),
        ("add_job", {"name": "x", "plpy": 1}, 'add_job has no argument "plpy"'),
        ("alter_job", {"job": 1, "jobname": "x"}, 'alter_job has no argument "jobname"'),
        ("add_schedule", {"job": 1, "name": "x", "(": [1]}, 'add_schedule has no argument "("'),
        ("start_agent", {}, 'start_agent needs the argument "agent"'),
        ("drop_job", [1], "arguments is no JSON object"),
        ("drop_job", None, "arguments is no JSON object"),
    ],
)
def test_arguments_that_a_verb_has_not_are_refused_by_name(
    db: Connection, verb: str, arguments: Any, words: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue) as caught:
        ask(db, verb, arguments)
    assert caught.value.diag.message_primary == words
    assert "Traceback" not in str(caught.value)
    assert db.execute("SELECT FROM pgagent.pga_job").fetchall() == []


def test_an_argument_may_be_a_word_of_python(db: Connection) -> None:
    job = ask(db, "add_job", {"name": "x", "class": "Data Import"})
    assert db.execute("SELECT jobjclid FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone() == (2,)
    ask(db, "alter_job", {"job": job, "class": "Data Export"})
    assert db.execute("SELECT jobjclid FROM pgagent.pga_job WHERE jobid = %s", [job]).fetchone() == (3,)


@pytest.mark.parametrize("role", MOST_STATEMENTS)
def test_a_job_is_added_by_few_statements_however_many_there_are(db: Connection, role: str) -> None:
    """Each is a subtransaction. Six are those of the call, ten with bounds; one looks for the next run."""
    db.execute("CREATE ROLE verbs_owner IN ROLE pgagent_py_user")
    add = "SELECT pgagent_py.add_job('job ' || %s::text, cron => '0 3 * * *', sql => 'SELECT 1', timezone => 'Asia/Tokyo')"
    try:
        if role == "owner":
            db.execute("SET ROLE verbs_owner")
        for number in range(3):
            db.execute(add, [number])
        db.execute("RESET ROLE")
        db.execute(COUNT)
        if role == "owner":
            db.execute("SET ROLE verbs_owner")
        for number in range(3, 13):
            db.execute(add, [number])
            (executed,) = db.execute("SELECT executed()").fetchone() or ((),)
            assert len(executed) <= MOST_STATEMENTS[role], executed
    finally:
        db.execute("RESET ROLE; DROP OWNED BY verbs_owner; DROP ROLE verbs_owner")
