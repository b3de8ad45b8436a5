"""Hostile texts, objects and settings of a user change nothing."""

from typing import Any

import psycopg
import pytest

from tests.helpers import Db, rows, value
from tests.helpers.roles import call_with, functions, refusal

HOSTILE = [
    "'; DROP TABLE pgagent.pga_job CASCADE; --", "$$; RESET ROLE; $$", "x' || pg_sleep(9) || '", "{x}",
    "%s %(x)s {0}", "a\nb\r\"\\",
]  # fmt: skip
# Refused in words, or too long, or no such type of value. A hole would give 42601, a syntax error, or no error at all.
REFUSED = {"22023", "42501", "55000", "XX000", "23514", "22P02", "42883", "22007"}


def try_text(connection: Db, function: dict[str, Any], ids: dict[str, int], text: str) -> int:
    """Give each text argument of a function *text*, one after the other; return how many there are."""
    texts = [
        name
        for name, type_ in zip(function["names"], function["types"], strict=True)
        if type_ in ("text", "name")
    ]
    for name in texts:
        pairs = zip(function["names"], function["optional"], strict=True)
        call, values = call_with(function | {"optional": [n != name or o for n, o in pairs]}, ids, text)
        state = None
        connection.execute("BEGIN")
        try:
            connection.execute(call, values)
        except psycopg.Error as error:
            state = error.sqlstate
        connection.execute("ROLLBACK")
        assert state is None or state in REFUSED, (function["name"], name)
    return len(texts)


@pytest.mark.usefixtures("bobs_job")
def test_text_arguments_are_values(alice: Db, db: Db) -> None:
    """Whatever text would end a literal, each function takes it as it is, or refuses it in words."""
    tried = 0
    for text in HOSTILE:
        for connection in (alice, db):
            own = value(connection, "SELECT pgagent_py.add_job('own', cron => '@daily', sql => 'SELECT 1')")
            step = value(db, "SELECT jstid FROM pgagent.pga_jobstep WHERE jstjobid = %s", own)
            schedule = value(db, "SELECT jscid FROM pgagent.pga_schedule WHERE jscjobid = %s", own)
            ids = {
                "job": own,
                "step": step,
                "schedule": schedule,
                "exception": 0,
                "message": 0,
                "run": 0,
                "log": 0,
            }
            tried += sum(
                try_text(connection, f, ids, text)
                for f in functions(db)
                # these get no text of a user's
                if f["name"]
                not in (
                    "_firing",
                    "_firing_after",
                    "_ask",
                    "_next_run",
                    "_next_runs",
                    "_upcoming_runs",
                    "_schedule_words",
                    "_cron_text",
                )
            )
            db.execute("SELECT pgagent_py.drop_job(%s)", [own])
    assert tried > 200
    assert value(db, "SELECT count(*) FROM pgagent.pga_job") == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_code_are_stored_as_given(alice: Db, text: str) -> None:
    job = value(alice, "SELECT pgagent_py.add_job(%s, description => %s)", text, text)
    alice.execute("SELECT pgagent_py.add_step(%s, %s, sql => %s, description => %s)", [job, text, text, text])
    assert rows(alice, "SELECT jobname, jobdesc FROM pgagent_py.visible_job") == [(text, text)]
    assert rows(alice, "SELECT jstname, jstcode FROM pgagent_py.visible_step") == [(text, text)]
    alice.execute("SELECT pgagent_py.run_now(%s)", [job])
    ((status, output),) = rows(alice, "SELECT jslstatus, jsloutput FROM pgagent_py.run_due()")
    assert status == "f"
    assert "ERROR" in output


def test_objects_in_front_of_ours_change_nothing(alice: Db, db: Db) -> None:
    """A user's own path, temporary tables named like ours, and hostile operators and functions in public."""
    db.execute("GRANT CREATE ON SCHEMA public TO alice")
    body = "RETURNS {} LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$"
    for function in (
        "eq(integer, integer) " + body.format("boolean"), "now() " + body.format("timestamptz"),
        "jsonb_build_object(VARIADIC text[]) " + body.format("jsonb"),
        "pg_has_role(name, name, text) " + body.format("boolean"), "current_database() " + body.format("name"),
        "has_table_privilege(name, text, text) " + body.format("boolean"),
    ):  # fmt: skip
        alice.execute(f"CREATE FUNCTION public.{function}".encode())
    alice.execute("CREATE OPERATOR public.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = public.eq)")
    for table in (
        "pga_job",
        "pga_jobstep",
        "pga_schedule",
        "job_option",
        "setting",
        "request",
        "agent",
        "pg_roles",
    ):
        alice.execute(
            f"CREATE TEMP TABLE {table} (jobid int, jobowner name, jobownerid oid, rolname name)".encode()
        )
    for connection in (alice, db):
        connection.execute("SET search_path = pg_temp, public, pg_catalog, pgagent, pgagent_py")
        connection.execute("SET row_security = off")
    for connection, owner in ((alice, "alice"), (db, None)):
        job = value(connection, "SELECT pgagent_py.add_job('x', cron => '0 3 * * *', sql => 'SELECT 7')")
        who = "SELECT jobowner FROM pgagent_py.visible_job WHERE jobid OPERATOR(pg_catalog.=) %s"
        assert value(connection, who, job) == owner
        connection.execute("SELECT pgagent_py.run_now(%s)", [job])
        connection.execute("SELECT * FROM pgagent_py.next_runs(%s)", [job])
        assert rows(connection, "SELECT jobid, jslstatus FROM pgagent_py.run_due()") == [(job, "s")]
        connection.execute("SELECT pgagent_py.drop_job(%s)", [job])


def test_settings_of_the_callers_own_change_nothing(alice: Db, db: Db, bobs_job: dict[str, int]) -> None:
    for name in ("caller", "job_id", "run_id", "step_id", "parameters", "role"):
        alice.execute(f"SELECT set_config('pgagent_py.{name}', 'postgres', false)".encode())
    assert refusal(alice, "SELECT pgagent_py.drop_job(%s)", [bobs_job["job"]])[0] == "22023"
    job = value(alice, "SELECT pgagent_py.add_job('x')")
    assert value(db, "SELECT jobowner FROM pgagent_py.job_option WHERE jobid = %s", job) == "alice"
