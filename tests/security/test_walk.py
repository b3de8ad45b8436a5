"""A walk through all functions: hostile values for every argument give an error that names no fault of ours and no stranger."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import sql

from plpython.api.verbs import VERBS
from tests.helpers import Db, add_yearly_job, alter_job, call, rows, value
from tests.helpers.roles import functions, login

SECRET = "bobs_s3cret"
TEXTS = [
    "", " ", "\t\n", "'", '"', "\\", "$1", "%s%n{0}", "'; DROP TABLE pgagent.pga_job; --", "\x01\x1b[31m\r\nforged",
    "\ufeff\u202e\U0001f600", "../../etc/passwd", "NULL", "0", "-1", "1e400", "9" * 5000, "NaN", "infinity", "x" * 300_000,
    "[" * 5000, "{" * 50, '{"a": 1', "{}", "[]", "null", '"text"', '{"jobs": []}', '{"jobs": {"a": {"steps": [1]}}}',
    "* * * * *", "@reboot", "0 0 30 2 *", ", ".join(["1"] * 5000), "1-5/0 * * * *", "pgagent_py", "Europe/Paris", "email",
    "a@b", "http://[::1", "https://a:b@c:99999/", "success", "fail", "postgres", "alice", "bob", "public", "select 1",
]  # fmt: skip
ARRAYS = [[], [""], [None], ["x", None], ["infinity"], [SECRET], ["x"] * 5000]
# Of other types, by their names
VALUES: dict[str, Sequence[Any]] = {
    "integer": [None, 0, -1, 2**31 - 1, -(2**31)],
    "bigint": [None, -1, 2**63 - 1],
    "double precision": [None, "NaN", "Infinity", "-Infinity", 1e308],
    "timestamp with time zone": [None, "infinity", "-infinity", "4714-11-24 BC", "294276-12-31"],
    "date": [None, "infinity", "4714-11-24 BC", "5874897-12-31"],
    "time without time zone": [None, "24:00", "12:00:00.000001"],
    "interval": [None, "-1 s", "0", "1 us", "178000000 years", "-178000000 years", "1 mon -1 day"],
    "integer[]": ["{}", "{NULL}", "{2147483647}", "{-2147483648}", "{{1,2},{3,4}}", [1] * 5000],
    "bigint[]": ["{}", "{NULL}", "{9223372036854775807}"],
    "boolean[]": ["{}", "{NULL}"],
    "date[]": ["{}", "{NULL}", "{infinity,-infinity}", "{4714-11-24 BC}"],
    "uuid": [None],
    "pgagent_py.step_result[]": ["{}", "{NULL}", '{"(,,,,,)"}', '{"(2147483647,-1,s,-1,-1 s,x)"}'],
}
# What takes longer is cancelled, as it must let itself be.
TIMEOUT = "SET statement_timeout = '500 ms'"
CANCELLED = "57014"
JSON: list[Any] = [None, True, -1, 2**70, 1.5, "", "x", [], [[]], [None], {}, {"a": None}]

INNER = """
SELECT p.proname FROM pg_proc p
 WHERE p.pronamespace = 'pgagent_py'::regnamespace AND NOT has_function_privilege('mallory', p.oid, 'EXECUTE')"""


@pytest.fixture
def things(admin: Db, alice: Db, bob: Db) -> Iterator[dict[str, int]]:
    """Return what alice has, by argument; bob has the same, with a secret in all."""
    for name, db in ((SECRET, bob), ("hers", alice)):
        job = add_yearly_job(db, name, {"sql": f"SELECT '{name}'"})
        alter_job(db, job, parameters=json.dumps({name: name}), group=name)
        message = call(db, "add_message", job, "email", f"{name}@example.org")
        schedule = value(db, "SELECT jscid FROM pgagent_py.visible_schedule WHERE jobid = %s", job)
        step = value(db, "SELECT jstid FROM pgagent_py.visible_step WHERE jobid = %s", job)
        call(db, "add_exception", schedule, "2030-01-01")
    yield {
        "job": job,
        "after": job,
        "step": step,
        "from_step": step,
        "schedule": schedule,
        "run": 1,
        "message": message,
    }
    admin.execute("DELETE FROM pgagent_py.message")


def calls(function: dict[str, Any], things: dict[str, int]) -> Iterator[tuple[sql.Composed, list[Any], str]]:
    """Yield calls of a function, each with one hostile argument."""
    plain = {"integer": 1, "interval": "1 hour", "jsonb": "{}", "uuid": "00000000-0000-0000-0000-000000000001",
             "timestamp with time zone": "2040-01-01", "boolean": True, "date[]": "{2040-01-01}", "bigint[]": "{1}",
             "text[]": "{x}", "boolean[]": "{t}", "integer[]": "{1}", "tid": "(0,1)", "xid": "1", "cid": "0",
             "double precision": 1.0, "pgagent_py.step_result[]": "{}", "text": "x", "name": "x", "date": "2030-01-01",
             "time without time zone": "12:00", "record": None, "trigger": None, "bigint": 1}  # fmt: skip
    types = dict(zip(function["names"], function["types"], strict=True))
    needed = {
        name for name, optional in zip(function["names"], function["optional"], strict=True) if not optional
    }
    hostile_values = {**VALUES, "text": TEXTS, "name": TEXTS, "jsonb": TEXTS, "text[]": ARRAYS}
    for hostile, type_ in types.items():
        for given in hostile_values.get(type_, [None]):
            arguments, parameters = [], []
            for name in sorted(needed | {hostile}):
                argument = sql.SQL("{} => %s::" + types[name]).format(sql.Identifier(name))
                arguments.append(argument)
                parameters.append(given if name == hostile else things.get(name, plain[types[name]]))
            text = sql.SQL("SELECT * FROM pgagent_py.{}({})").format(
                sql.Identifier(function["name"]), sql.SQL(", ").join(arguments)
            )
            yield text, parameters, f"{function['name']}({hostile} => {str(given)[:40]!r})"


def fault(db: Db, query: sql.Composed | str, parameters: list[Any], inner: bool = False) -> str:
    """Return what is wrong with the error that a call gives, "" if nothing."""
    try:
        with db.transaction(force_rollback=True):
            db.execute(query, parameters)
    except psycopg.Error as error:
        state, diag = error.sqlstate or "XX", error.diag
        if state == CANCELLED:
            return ""
        words = [diag.message_primary, diag.message_detail, diag.message_hint]
        shown = "\n".join(filter(None, [*words, diag.context]))
        if db.closed or state.startswith("XX"):
            return f"{state} {shown}"
        if not inner and any("Traceback" in text or "spiexceptions" in text for text in words if text):
            return f"{state} {shown}"
        if SECRET in shown and SECRET not in str(parameters):
            return f"leaks: {shown}"
    return ""


@pytest.mark.parametrize("role", ["alice", "mallory", "starter", "postgres"])
def test_no_argument_of_any_function_finds_a_fault(address: str, things: dict[str, int], role: str) -> None:
    with login(address, role) as db:
        fault(db, "SELECT pgagent_py.run_now(0)", [])  # loads the code: the limit below is not for that
        db.execute(TIMEOUT)
        found: dict[str, str] = {}
        inner = [name for (name,) in rows(db, INNER)]
        for function in functions(db):
            if function["name"] in inner:
                continue  # for triggers only: no role may call it but superusers
            for query, parameters, what in calls(function, things):
                if wrong := fault(db, query, parameters, function["name"].startswith("_")):
                    found[what] = wrong[:600]
    assert not found, "\n".join(f"{what}: {wrong}" for what, wrong in found.items())


@pytest.mark.parametrize("role", ["alice", "postgres"])
def test_no_request_finds_a_fault(address: str, things: dict[str, int], role: str) -> None:
    """The gate may be used without the functions, with any JSON."""
    found: dict[str, str] = {}
    with login(address, role) as db:
        for name in ["", "no such verb", "__class__", "handle"]:
            with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"verb .* is unknown"):
                db.execute("SELECT pgagent_py._ask(%s, '{}')", [name])
        for verb in list(VERBS.values()):
            for hostile in verb.arguments:
                for given in JSON:
                    arguments = {name: things.get(name) for name in verb.required} | {hostile: given}
                    if "job" in verb.arguments and hostile != "job":
                        arguments["job"] = things["job"]
                    if wrong := fault(
                        db, "SELECT pgagent_py._ask(%s, %s)", [verb.name, json.dumps(arguments)]
                    ):
                        found[f"{verb.name} {hostile} {given!r}"] = wrong[:300]
    assert not found, "\n".join(f"{what}: {wrong}" for what, wrong in found.items())


IMPORTS = {
    "import_sql_server_agent": {
        "name": "a", "enabled": 1, "category": "c", "notify_level_email": 2, "delete_level": 1,
        "operator": {"name": "o", "email_address": "a@example.org"},
        "steps": [{"step_id": 1, "step_name": "s", "subsystem": "TSQL", "command": "c", "database_name": "d", "retry_attempts": 2,
                   "retry_interval": 5, "on_success_action": 3, "on_fail_action": 2}],
        "schedules": [{"name": "s", "enabled": 1, "freq_type": 32, "freq_interval": 9, "freq_relative_interval": 16,
                       "freq_recurrence_factor": 1, "active_start_date": 20300101, "active_start_time": 180000,
                       "freq_subday_type": 8, "freq_subday_interval": 2, "active_end_time": 235959}],
    },
    "import_dbms_scheduler": {
        "job_name": "a", "job_class": "c", "comments": "c", "job_type": "PLSQL_BLOCK", "job_action": "a", "enabled": "TRUE",
        "repeat_interval": "FREQ=DAILY", "start_date": "2030-01-01T00:00:00+01:00", "max_failures": 3, "max_run_seconds": 90,
        "auto_drop": "TRUE", "notifications": [{"recipient": "a@example.org", "event": "JOB_FAILED"}],
    },
}  # fmt: skip
OTHER: list[Any] = [None, True, -1, 10**400, "", "9" * 5000, [], {}, [[None]]]


def changed(value: Any) -> Iterator[Any]:
    """Yield a JSON value with one of the values in it replaced."""
    yield from OTHER
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        for other in changed(part):
            copy = value.copy()
            copy[key] = other
            yield copy


@pytest.mark.parametrize("verb", IMPORTS)
def test_no_document_of_another_scheduler_finds_a_fault(address: str, verb: str) -> None:
    found: dict[str, str] = {}
    with login(address, "editor") as db:
        for job in changed(IMPORTS[verb]):
            document = json.dumps({"jobs": [job]})
            if wrong := fault(db, f"SELECT * FROM pgagent_py.{verb}(%s)", [document]):
                found[document[:200]] = wrong[:300]
    assert not found, "\n".join(f"{what}: {wrong}" for what, wrong in found.items())
