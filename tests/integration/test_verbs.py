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
 WHERE p.pronamespace = 'pgagent_py'::regnamespace AND l.lanname = 'sql' AND p.prosrc LIKE '%pgagent_py.\\_ask(%'"""


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
