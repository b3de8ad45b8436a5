"""How a user tries to see, change or forge what is not hers."""

import json

import psycopg
import pytest
from psycopg import errors

from tests.helpers import Db, rows, value
from tests.helpers.roles import SECRET, call_with, functions, login, psycopg_uuid, refusal, snapshot

SUBJECTS = {"job", "step", "schedule", "run", "after", "from_step", "exception", "message", "jslid"}


def test_no_function_does_or_tells_anything_about_anothers_job(
    alice: Db, db: Db, bobs_job: dict[str, int]
) -> None:
    absent = dict.fromkeys(bobs_job, 999_999)
    before = snapshot(db)
    tried = set()
    for function in functions(db):
        if not SUBJECTS & set(function["names"]) or function["name"].startswith("_"):
            continue
        answers = []
        for ids in (bobs_job, absent):
            call, values = call_with(function, ids, "x")
            try:
                alice.execute("BEGIN")
                answers.append(str(alice.execute(call, values).fetchall()))
            except psycopg.Error as error:
                text = f"{error.sqlstate} {error.diag.message_primary} {error.diag.message_hint}"
                for id_ in sorted(set(ids.values()), reverse=True):
                    text = text.replace(f" {id_} ", " ID ")
                answers.append(text)
            finally:
                alice.execute("ROLLBACK")
        assert answers[0] == answers[1], function["name"]
        assert "secret" not in answers[0]
        # It may say that the step is not that of this backend's agent, whatever step it is.
        assert answers[0] in ("[]", "[(False,)]") or answers[0][:5] in ("22023", "42501", "55000"), (
            function["name"],
            answers,
        )
        tried.add(function["name"])
    assert {"add_step", "add_schedule", "add_exception", "drop_job", "run_now", "next_run", "next_runs",
            "finish_step", "alter_schedule"} <= tried  # fmt: skip
    assert snapshot(db) == before


# Which engines there are, and where a role sees anything at all
FOR_ALL = ("pgagent_py.engines", "pgagent_py.visibility")


@pytest.mark.usefixtures("bobs_job")
def test_no_view_and_no_table_shows_anothers_job(alice: Db, db: Db) -> None:
    before = snapshot(db)
    relations = rows(
        db,
        """SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'v', 'S')
                             AND c.relnamespace IN ('pgagent'::regnamespace, 'pgagent_py'::regnamespace)""",
    )
    assert len(relations) > 15
    readable = set()
    for (relation,) in relations:
        try:
            seen = rows(alice, f"SELECT * FROM {relation}")
        except errors.InsufficientPrivilege:
            continue
        readable.add(relation)
        assert seen == [] or relation in FOR_ALL, relation
    granted = rows(
        db,
        """SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'pgagent_py'::regnamespace
                           AND c.relkind IN ('r', 'v') AND has_table_privilege('alice', c.oid, 'SELECT')""",
    )
    assert {relation for (relation,) in granted} == readable  # no view asks for more rights on the way
    assert {"pgagent_py.visible_job", "pgagent_py.visible_step", "pgagent_py.request"} <= readable
    assert not {r for r in readable if r.startswith("pgagent.")}
    # Nor through a function that sees rows before the view's own condition has sorted them out.
    alice.execute("CREATE TEMP TABLE seen (t text)")
    alice.execute("""CREATE FUNCTION pg_temp.spy(t text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql
                     AS $$ BEGIN INSERT INTO seen VALUES (t); RETURN true; END $$""")
    for relation in readable:
        alice.execute(f"SELECT FROM {relation} t WHERE pg_temp.spy(t::text)".encode())
    assert {text for (text,) in rows(alice, "TABLE seen")} <= {
        str(row) for relation in FOR_ALL for (row,) in rows(alice, f"SELECT r::text FROM {relation} r")
    }
    assert snapshot(db) == before


SEEN = {
    "visible_job": {"pga_job"},
    "visible_step": {"pga_jobstep"},
    "visible_schedule": {"pga_schedule"},
    "visible_exception": {"pga_exception"},
    "visible_schedule_rule": {"pga_schedule", "pga_exception"},
    "job_status": {"pga_job", "pga_joblog"},
    "visible_run": {"pga_job", "pga_joblog"},
    "run_history": {"pga_job", "pga_joblog", "pga_jobsteplog", "pga_jobstep"},
    "step_options": {"pga_jobstep"},
}


@pytest.mark.usefixtures("bobs_job")
def test_a_view_shows_others_jobs_to_who_may_read_the_tables_that_it_is_made_of(
    database: str, bob: Db, db: Db
) -> None:
    """A right to see the jobs is none to see their output."""
    bob.execute("SELECT pgagent_py.alter_step(jstid, retries => 1) FROM pgagent_py.visible_step")
    tables = sorted(set().union(*SEEN.values()))
    with login(database, "nobody") as nobody:
        for granted in [*({table} for table in tables), *SEEN.values(), set(tables) - {"pga_jobsteplog"}]:
            for table in granted:
                db.execute(f"GRANT SELECT ON pgagent.{table} TO nobody".encode())
            seen = {view for view in SEEN if rows(nobody, f"SELECT * FROM pgagent_py.{view}")}
            assert seen == {view for view, needed in SEEN.items() if needed <= granted}, granted
            db.execute("REVOKE ALL ON ALL TABLES IN SCHEMA pgagent FROM nobody")
    assert all(rows(bob, f"SELECT * FROM pgagent_py.{view}") for view in SEEN)


def test_nothing_of_ours_can_be_written_but_requests(alice: Db, db: Db) -> None:
    for (relation,) in rows(
        db,
        """SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'v')
                                    AND c.relnamespace = 'pgagent_py'::regnamespace""",
    ):
        for statement in (
            "DELETE FROM {}", "TRUNCATE {}", "INSERT INTO {} DEFAULT VALUES",
            "CREATE RULE r AS ON SELECT TO {} DO INSTEAD SELECT 1",
            "CREATE TRIGGER t BEFORE INSERT ON {} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        ):  # fmt: skip
            if (relation, statement[:6]) == ("pgagent_py.request", "INSERT"):
                continue
            state = refusal(alice, statement.format(relation))[0]
            # 55000: a view that nobody can write
            assert state in ("42501", "42809", "55000"), (relation, statement)
    for statement in (
        "CREATE TABLE pgagent_py.x ()", "CREATE TABLE pgagent.x ()", "DROP VIEW pgagent_py.request",
        "CREATE FUNCTION pgagent_py._ask(text, text) RETURNS int LANGUAGE sql RETURN 1",
        "ALTER FUNCTION pgagent_py.version() OWNER TO alice",
        "ALTER VIEW pgagent_py.request ALTER caller SET DEFAULT 'postgres'",
    ):  # fmt: skip
        assert refusal(alice, statement)[0] == "42501", statement


ASK = """INSERT INTO pgagent_py.request (verb, arguments) VALUES ('add_job', '{"name": "forged"}')"""


def test_the_caller_of_a_request_cannot_be_forged(alice: Db, db: Db) -> None:
    for columns, values in (
        ("caller, verb, arguments", "'postgres', 'add_job', '{\"name\": \"forged\"}'"),
        ("caller, verb, arguments", "DEFAULT, 'add_job', '{\"name\": \"forged\"}'"),
        ("verb, arguments, answer", "'add_job', '{\"name\": \"forged\"}', '{}'"),
    ):
        assert refusal(alice, f"INSERT INTO pgagent_py.request ({columns}) VALUES ({values})")[0] == "42501"
    assert refusal(alice, "COPY pgagent_py.request (caller, verb) FROM STDIN")[0] == "42501"
    assert refusal(alice, "UPDATE pgagent_py.request SET caller = 'postgres'")[0] in ("42501", "55000")
    # Arguments that would be the caller's: it is an error, so this divides by zero.
    ask = """INSERT INTO pgagent_py.request (verb, arguments) VALUES ('add_job', %s)
             RETURNING 1 / (answer ->> 'error' IS NULL)::integer"""
    assert refusal(alice, ask, ['{"name": "forged", "caller": "postgres"}'])[0] == "22012"
    # A view of hers over ours, with a default of hers: nobody asks for a right on that column
    alice.execute("CREATE TEMP VIEW mine AS SELECT * FROM pgagent_py.request")
    alice.execute("ALTER VIEW mine ALTER caller SET DEFAULT 'postgres'")
    for request in (ASK, ASK.replace("pgagent_py.request", "mine")):
        alice.execute(request.encode())
        assert rows(db, "SELECT jobname, jobowner FROM pgagent_py.visible_job") == [("forged", "alice")]
        db.execute("DELETE FROM pgagent.pga_job")


@pytest.mark.parametrize("granted", [False, True])
def test_our_trigger_functions_are_no_good_on_tables_of_hers(alice: Db, db: Db, granted: bool) -> None:
    if granted:  # as the admins of some sites do with every schema
        db.execute("GRANT ALL ON ALL FUNCTIONS IN SCHEMA pgagent_py TO alice")
    columns = "caller name, verb text, arguments jsonb, answer jsonb, jobid int, name text"
    alice.execute(f"CREATE TEMP TABLE fake ({columns})".encode())
    alice.execute("CREATE TEMP VIEW request AS SELECT * FROM fake")
    functions = rows(
        db,
        """SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'pgagent_py'::regnamespace
                             AND p.prorettype = 'trigger'::regtype""",
    )
    assert len(functions) > 5
    job = value(db, "SELECT pgagent_py.add_job('x', cron => '0 3 * * *')")
    before = snapshot(db)
    for (function,) in functions:
        if not granted:
            for event in ("BEFORE INSERT ON fake", "INSTEAD OF INSERT ON request"):
                create = f"CREATE TRIGGER t {event} FOR EACH ROW EXECUTE FUNCTION pgagent_py.{function}()"
                assert refusal(alice, create)[0] == "42501"
        elif function == "_handle_request":
            alice.execute("""CREATE TRIGGER t INSTEAD OF INSERT ON request
                             FOR EACH ROW EXECUTE FUNCTION pgagent_py._handle_request()""")
            forge = """INSERT INTO request (caller, verb, arguments) VALUES ('postgres', 'drop_job', '{"job": %d}')"""
            assert refusal(alice, forge % job)[0] == "42501"
    if granted:
        db.execute("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pgagent_py FROM alice")
    assert snapshot(db) == before


def test_inner_functions_give_nothing_to_who_has_not_registered(
    database: str, db: Db, bobs_job: dict[str, int]
) -> None:
    bobs = bobs_job
    db.execute("SELECT pgagent_py.run_now(%s)", [bobs["job"]])
    db.execute("SELECT pgagent_py.add_job('unowned', sql => 'SELECT 1')")
    before = snapshot(db)
    for role in ("alice", "nobody"):
        with login(database, role) as connection:
            tried = 0
            for function in functions(db):
                if not function["name"].startswith("_"):
                    continue
                call, values = call_with(function, bobs, "drop_job")
                tried += 1
                try:
                    answer = str(connection.execute(call, values).fetchall())
                except psycopg.Error as error:
                    answer = f"{error} {error.diag.message_detail}"
                if function["name"] not in ("_code", "_load"):
                    assert SECRET not in answer
                    assert answer in ("[]", "[(None,)]") or "ERROR" not in answer, answer
            assert tried > 5
            assert rows(connection, "SELECT * FROM pgagent_py.steps_in_progress()") == []
            assert value(connection, "SELECT pgagent_py.next_wake()") is None
            for verb in ("start_agent", "set_default_timezone"):
                arguments = json.dumps(
                    {"agent": psycopg_uuid} if verb == "start_agent" else {"timezone": "UTC"}
                )
                assert refusal(connection, "SELECT pgagent_py._ask(%s, %s)", [verb, arguments])[0] == "42501"
            assert refusal(connection, "SELECT * FROM pgagent_py.run_due(5)")[0] == "42501"
    assert snapshot(db) == before


def test_settings_are_no_secret_that_everyone_reads(alice: Db) -> None:
    assert refusal(alice, "TABLE pgagent_py.setting")[0] == "42501"
    assert value(alice, "SELECT pgagent_py.default_timezone()") == "UTC"
