"""Owners of jobs: what a member of pgagent_py_user can do, and how it tries to do more, all in SQL."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from tests.helpers import Cluster, Db, rows, value

SECRET = "SELECT 'the secret of the other job'"
ROLES = ("alice", "bob", "carol", "team", "editor", "starter", "nobody")


@pytest.fixture(scope="module", autouse=True)
def roles(cluster: Cluster) -> Iterator[None]:
    """Make alice, bob (users), carol (a user who is in team), team, editor (as pgAdmin's user), starter (a launcher), nobody."""
    with cluster.connect() as db:
        for name in ROLES:
            db.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        db.execute("GRANT pgagent_py_user TO alice, bob, carol")
        db.execute("GRANT pgagent_py_launcher TO starter")
        db.execute("GRANT team TO carol")
        yield
        for name in ROLES:
            db.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def editor_rights(db: Db) -> Iterator[None]:
    """Let editor do what pgAdmin's users do."""
    db.execute("GRANT USAGE ON SCHEMA pgagent TO editor")
    db.execute("GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO editor")
    db.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA pgagent TO editor")
    yield
    db.execute("DROP OWNED BY editor")


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


@pytest.fixture
def alice(database: str) -> Iterator[Db]:
    with login(database, "alice") as connection:
        yield connection


@pytest.fixture
def bob(database: str) -> Iterator[Db]:
    with login(database, "bob") as connection:
        yield connection


@pytest.fixture
def bobs_job(bob: Db) -> dict[str, int]:
    """Return ids of things that alice must not see: a job of bob's that has run, failing, with output."""
    job = value(bob, "SELECT pgagent_py.add_job('bob''s', cron => '0 3 * * *', sql => %s)", SECRET)
    step = value(bob, "SELECT jstid FROM pgagent_py.visible_step WHERE jstjobid = %s", job)
    schedule = value(bob, "SELECT jscid FROM pgagent_py.visible_schedule WHERE jscjobid = %s", job)
    exception = value(bob, "SELECT pgagent_py.add_exception(%s, on_date => '2040-01-01')", schedule)
    message = value(bob, "SELECT pgagent_py.add_message(%s, 'email', 'bob@example.org')", job)
    bob.execute("SELECT pgagent_py.run_now(%s)", [job])
    executed = bob.execute("SELECT jobid, jlgid, jslid FROM pgagent_py.run_due()").fetchall()
    assert [row[0] for row in executed] == [job]
    run, log = executed[0][1:]
    ids = {"job": job, "step": step, "schedule": schedule, "exception": exception, "message": message}
    return ids | {"run": run, "log": log}


def test_a_user_adds_changes_sees_runs_and_drops_its_own_job(alice: Db, db: Db) -> None:
    job = value(alice, "SELECT pgagent_py.add_job('mine', cron => '0 3 * * *')")
    step = value(alice, "SELECT pgagent_py.add_step(%s, 'a', sql => 'SELECT current_user')", job)
    (schedule,) = rows(
        alice, "SELECT pgagent_py.add_schedule(%s, 's', hours => '{5}', minutes => '{0}')", job
    )[0]
    alice.execute("SELECT pgagent_py.alter_schedule(%s, timezone => 'Asia/Tokyo')", [schedule])
    value(alice, "SELECT pgagent_py.add_exception(%s, on_date => '2040-01-01')", schedule)
    assert rows(alice, "SELECT jobid, jobname, jobowner, jobrunas FROM pgagent_py.visible_job") == [
        (job, "mine", "alice", None)
    ]
    assert rows(alice, "SELECT jstid, jstkind, jstcode FROM pgagent_py.visible_step") == [
        (step, "sql", "SELECT current_user")
    ]
    assert (schedule, [5], "Asia/Tokyo") in rows(
        alice, "SELECT jscid, jschours, jsctimezone FROM pgagent_py.visible_schedule"
    )
    assert len(rows(alice, "SELECT * FROM pgagent_py.visible_exception")) == 1
    assert len(rows(alice, "SELECT * FROM pgagent_py.next_runs(%s, 4)", job)) == 4
    assert value(alice, "SELECT pgagent_py.next_run(%s)", schedule)
    alice.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert rows(alice, "SELECT jobid, jslstatus, jobrunas FROM pgagent_py.run_due()") == [(job, "s", "alice")]
    assert value(db, "SELECT jlgstatus FROM pgagent.pga_joblog") == "s"
    assert rows(db, "SELECT * FROM pgagent.pga_jobagent") == rows(db, "SELECT * FROM pgagent_py.agent") == []
    alice.execute("SELECT pgagent_py.drop_job(%s)", [job])
    assert rows(db, "SELECT jobid FROM pgagent.pga_job") == rows(db, "TABLE pgagent_py.job_option") == []


def test_who_is_in_the_owner_role_has_its_jobs(database: str, db: Db, alice: Db) -> None:
    job = value(alice, "SELECT pgagent_py.add_job('x')")
    with login(database, "carol") as carol:
        assert refusal(carol, "SELECT pgagent_py.run_now(%s)", [job])[0] == "22023"
        db.execute("UPDATE pgagent_py.job_option SET jobowner = 'team'")
        assert value(carol, "SELECT jobowner FROM pgagent_py.visible_job") == "team"
        carol.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert rows(alice, "SELECT * FROM pgagent_py.visible_job") == []
    assert refusal(alice, "SELECT pgagent_py.run_now(%s)", [job])[0] == "22023"


def test_others_have_no_jobs(database: str) -> None:
    for role in ("nobody", "starter"):
        with login(database, role) as db:
            state, message, hint = refusal(db, "SELECT pgagent_py.add_job('x')")
            assert (state, message) == ("42501", f"role {role} may not have jobs")
            assert "pgagent_py_user" in (hint or "")
            assert rows(db, "SELECT * FROM pgagent_py.visible_job") == []


def test_one_right_on_the_tables_is_not_all_of_them(database: str, db: Db) -> None:
    job = value(db, "SELECT pgagent_py.add_job('x')")
    db.execute("GRANT USAGE ON SCHEMA pgagent TO nobody")
    db.execute("GRANT DELETE, SELECT ON ALL TABLES IN SCHEMA pgagent TO nobody")
    with login(database, "nobody") as nobody:
        assert refusal(nobody, "SELECT pgagent_py.add_step(%s, 'x', batch => 'id')", [job])[0] == "42501"
    db.execute("DROP OWNED BY nobody")


@pytest.mark.usefixtures("editor_rights")
def test_who_may_edit_the_tables_may_change_every_job_and_its_own_have_no_owner(
    database: str, db: Db, bobs_job: dict[str, int]
) -> None:
    with login(database, "editor") as editor:
        editor.execute("SELECT pgagent_py.run_now(%s)", [bobs_job["job"]])
        job = value(editor, "SELECT pgagent_py.add_job('x', batch => 'true')")
        assert value(editor, "SELECT jobowner FROM pgagent_py.visible_job WHERE jobid = %s", job) is None
        assert len(rows(editor, "SELECT FROM pgagent_py.visible_step")) == 2
    assert rows(db, "SELECT jobid FROM pgagent_py.job_option") == [(bobs_job["job"],)]


def test_batch_and_connstr_steps_of_an_owned_job(alice: Db, db: Db) -> None:
    job = value(alice, "SELECT pgagent_py.add_job('x')")
    add_batch = f"SELECT pgagent_py.add_step({job}, 'x', batch => 'id')"
    state, message, _ = refusal(alice, add_batch)
    assert (state, message) == (
        "42501", "batch: role alice, the job's owner, is not a member of pgagent_py_batch",
    )  # fmt: skip
    assert refusal(alice, "SELECT pgagent_py.add_job('x', batch => 'id')")[0] == "42501"
    # Nor can anyone add it for her: her job would not run it.
    assert refusal(db, add_batch)[0] == "42501"
    for connection in (alice, db):
        add_remote = f"SELECT pgagent_py.add_step({job}, 'x', sql => 'SELECT 1', connstr => 'user=postgres')"
        assert refusal(connection, add_remote)[0] == "22023"
    assert rows(db, "SELECT FROM pgagent.pga_jobstep") == []
    assert value(db, "SELECT count(*) FROM pgagent.pga_job") == 1
    db.execute("GRANT pgagent_py_batch TO alice")
    try:
        alice.execute(add_batch.encode())
    finally:
        db.execute("REVOKE pgagent_py_batch FROM alice")


def test_an_owner_gives_its_job_away_and_has_it_run_as_another(
    database: str, db: Db, alice: Db, bobs_job: dict[str, int]
) -> None:
    db.execute("CREATE ROLE reporting LOGIN; CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE no_login NOLOGIN")
    db.execute("GRANT reporting, boss, no_login TO alice")
    try:
        job = value(alice, "SELECT pgagent_py.add_job('x', sql => 'SELECT 1')")
        who = f"SELECT jobowner, jobrunas FROM pgagent_py.visible_job WHERE jobid = {job}"
        alter = f"SELECT pgagent_py.alter_job({job}, "
        for argument, role, state in (
            ("run_as", "bob", "42501"), ("run_as", "postgres", "42501"), ("run_as", "boss", "42501"),
            ("run_as", "no_login", "22023"), ("run_as", "who", "22023"), ("owner", "who", "22023"),
            ("owner", "bob", "42501"), ("owner", "postgres", "42501"), ("owner", "", "42501"),
        ):  # fmt: skip
            refused, message, _ = refusal(alice, f"{alter}{argument} => %s)", [role])
            assert (refused, argument in (message or "") or role == "") == (state, True), (argument, role)
            assert rows(alice, who) == [("alice", None)]
        alice.execute(f"{alter}run_as => 'reporting')".encode())
        assert rows(alice, who) == [("alice", "reporting")]
        atomic = f"SELECT pgagent_py.add_step({job}, 'a', sql => 'SELECT 1', atomic => true)"
        assert refusal(alice, atomic)[0] == "22023"  # reporting could not book it
        alice.execute("SELECT pgagent_py.run_now(%s)", [job])
        assert rows(alice, "SELECT * FROM pgagent_py.run_due()") == []  # it is not reporting's session
        assert [step["jobrunas"] for step in hand_out(database)] == ["reporting"]
        with login(
            database, "reporting"
        ) as reporting:  # it executes the job, and has nothing to say about it
            assert refusal(reporting, "SELECT pgagent_py.alter_job(%s, name => 'y')", [job])[0] == "42501"
            assert rows(reporting, "SELECT * FROM pgagent_py.visible_job") == []
        db.execute("REVOKE reporting FROM alice")
        alice.execute("SELECT pgagent_py.run_now(%s)", [job])
        assert hand_out(database) == []
        assert value(db, "SELECT jsloutput FROM pgagent.pga_jobsteplog WHERE jslstatus = 'f' ORDER BY jslid DESC LIMIT 1") == (
            "Not executed: role alice, the job's owner, is not a member of role reporting."
        )  # fmt: skip
        alice.execute(f"{alter}run_as => '')".encode())
        assert rows(alice, who) == [("alice", None)]
        alice.execute(atomic.encode())
        db.execute("GRANT reporting TO alice")
        assert refusal(alice, f"{alter}run_as => 'reporting')")[0] == "22023"
        # Other options leave the owner as it is; what is not hers does not become hers.
        alice.execute(f"{alter}priority => 3, timeout => '1 h', name => 'y')".encode())
        assert rows(alice, who) == [("alice", None)]
        unowned = value(db, "SELECT pgagent_py.add_job('unowned')")
        for other in (unowned, bobs_job["job"]):
            assert refusal(alice, "SELECT pgagent_py.alter_job(%s, owner => 'alice')", [other])[0] == "22023"
        assert refusal(db, "SELECT pgagent_py.alter_job(%s, run_as => 'alice')", [unowned])[0] == "22023"
        # Given away, it is gone; who may edit the tables may take the owner off again.
        db.execute("GRANT team TO alice")
        alice.execute(f"{alter}owner => 'team')".encode())
        db.execute("REVOKE team FROM alice")
        assert refusal(alice, f"{alter}owner => 'alice')")[0] == "22023"
        assert rows(db, who) == [("team", None)]
        db.execute(f"{alter}owner => '')".encode())
        assert rows(db, who) == [(None, None)]
        batch = value(db, "SELECT pgagent_py.add_job('batch', batch => 'id')")
        assert refusal(db, "SELECT pgagent_py.alter_job(%s, owner => 'alice')", [batch])[0] == "42501"
    finally:
        db.execute("DROP ROLE reporting; DROP ROLE boss; DROP ROLE no_login")


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
        assert answers[0] == "[]" or answers[0][:5] in ("22023", "42501", "55000"), (
            function["name"],
            answers,
        )
        tried.add(function["name"])
    assert {"add_step", "add_schedule", "add_exception", "drop_job", "run_now", "next_run", "next_runs",
            "finish_step", "alter_schedule"} <= tried  # fmt: skip
    assert snapshot(db) == before


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
        assert seen == [], relation
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
    assert rows(alice, "TABLE seen") == []
    assert snapshot(db) == before


SEEN = {
    "visible_job": {"pga_job"},
    "visible_step": {"pga_jobstep"},
    "visible_schedule": {"pga_schedule"},
    "visible_exception": {"pga_exception"},
    "visible_schedule_rule": {"pga_schedule", "pga_exception"},
    "job_status": {"pga_job", "pga_joblog"},
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


def test_who_runs_its_own_jobs_in_a_session_has_no_say_about_other_runs(
    database: str, alice: Db, bob: Db, db: Db
) -> None:
    """Registered, she takes turns herself: no result that she hands in may touch, end or carry on a run of bob's."""
    bobs = value(bob, "SELECT pgagent_py.add_job('bob''s', sql => %s)", SECRET)
    bob.execute("SELECT pgagent_py.add_step(%s, 'z', sql => %s)", [bobs, SECRET])
    again = (
        "SELECT pgagent_py.alter_step(jstid, retries => 9, retry_delay => '0') FROM pgagent_py.visible_step"
    )
    bob.execute(again.encode())
    mine = value(alice, "SELECT pgagent_py.add_job('mine', sql => 'SELECT 1')")
    log = """SELECT l.*, r.* FROM pgagent.pga_joblog r
               LEFT JOIN pgagent.pga_jobsteplog l ON l.jsljlgid = r.jlgid WHERE r.jlgjobid = %s"""
    # Not by run_due(), which refuses some of these results at once.
    turn = """SELECT t.jobid, t.jlgid, t.jslid, t.jstcode FROM pgagent_py.this_agent a, unnest(pgagent_py._turn(
                     a.agent, 5, ARRAY[(%s, %s, %s, 0, '1 s', 'forged')::pgagent_py.step_result], false, true)) t"""
    with login(database, "starter") as starter:
        starter.execute("SELECT pgagent_py.start_agent(%s, 'x')", [psycopg_uuid])
        bob.execute("SELECT pgagent_py.run_now(%s)", [bobs])
        ((_, run, entry, _),) = rows(starter, turn, 0, 0, "s")
        before = rows(db, log, bobs)
        alice.execute("SELECT pgagent_py.run_now(%s)", [mine])
        alice.execute(
            """SELECT pgagent_py._ask('start_session', jsonb_build_object('agent', gen_random_uuid()))"""
        )
        ((_, own_run, own_entry, _),) = rows(alice, turn, run, entry, "r")
        for status in "rfsd":
            for jlgid, jslid in ((run, entry), (run, None), (run, own_entry), (own_run, entry)):
                assert rows(alice, turn, jlgid, jslid, status) == [], (status, jlgid, jslid)
                assert rows(db, log, bobs) == before
        assert rows(alice, turn, own_run, own_entry, "s") == []
        assert value(db, "SELECT jlgstatus FROM pgagent.pga_joblog WHERE jlgid = %s", own_run) == "s"
        ((jobid, again_run, _, _),) = rows(
            starter, turn, run, entry, "s"
        )  # the launcher's turn: bob's next step
        assert (jobid, again_run) == (bobs, run)
        starter.execute("SELECT pgagent_py.stop_agent()")


def test_run_due_runs_only_the_callers_own_jobs(
    database: str, alice: Db, db: Db, bobs_job: dict[str, int]
) -> None:
    whoami = "DO $$ BEGIN RAISE EXCEPTION '% %', session_user, current_user; END $$"
    mine = value(alice, "SELECT pgagent_py.add_job('alice', sql => %s)", whoami)
    unowned = value(db, "SELECT pgagent_py.add_job('unowned', sql => %s)", whoami)
    for job in (mine, unowned, bobs_job["job"]):
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert rows(alice, "SELECT jobid, jsloutput FROM pgagent_py.run_due()") == [(mine, "ERROR:  alice alice")]
    db.execute("SELECT pgagent_py.run_now(%s)", [mine])
    with login(
        database, "starter"
    ) as starter:  # may run a launcher, but what it runs here runs with its rights
        executed = rows(starter, "SELECT jobid, jsloutput FROM pgagent_py.run_due()")
        assert executed == [(unowned, "ERROR:  starter starter")]
    db.execute("SELECT pgagent_py.run_now(%s)", [unowned])
    assert rows(db, "SELECT jobid FROM pgagent_py.run_due()") == [
        (unowned,)
    ]  # the superuser: neither alice's nor bob's
    due = rows(db, "SELECT jobid FROM pgagent.pga_job WHERE jobnextrun <= now() ORDER BY 1")
    assert due == sorted([(mine,), (bobs_job["job"],)])
    with login(database, "nobody") as nobody:
        assert refusal(nobody, "SELECT * FROM pgagent_py.run_due()")[0] == "42501"


def test_a_user_books_no_results_of_runs_that_are_not_hers(database: str, alice: Db, db: Db) -> None:
    """A step of hers calls run_due() in the session that executes it, with a result for somebody else's run."""
    job = value(db, "SELECT pgagent_py.add_job('unowned', sql => 'SELECT 1')")
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    with login(database, "postgres") as agent:
        agent.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'here')")
        ((run, log),) = rows(agent, "SELECT jlgid, jslid FROM pgagent_py.run_due(1)")
        forge = f"""
            SELECT * FROM pgagent_py.run_due(0, ARRAY[
                   ({run}, {log}, 's', 0, NULL::interval, 'forged')]::pgagent_py.step_result[])"""
        before = rows(
            db, "SELECT * FROM pgagent.pga_joblog l, pgagent.pga_jobsteplog s WHERE s.jsljlgid = l.jlgid"
        )
        alice.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('alice', sql => %s))", [forge])
        assert rows(alice, "SELECT jobname, jslstatus FROM pgagent_py.run_due()") == [("alice", "s")]
        # Somebody releases the job by hand while she is registered.
        alice.execute(
            "SELECT pgagent_py._ask('start_session', jsonb_build_object('agent', gen_random_uuid()))"
        )
        db.execute("UPDATE pgagent.pga_job SET jobagentid = NULL, jobenabled = false WHERE jobid = %s", [job])
        alice.execute(forge.encode())
        after = f"""
            SELECT * FROM pgagent.pga_joblog l, pgagent.pga_jobsteplog s WHERE s.jsljlgid = l.jlgid AND l.jlgid = {run}"""
        assert rows(db, after) == before


def test_run_due_runs_no_owned_job_in_the_session_of_a_stronger_role(db: Db, alice: Db) -> None:
    break_out = "RESET ROLE; CREATE ROLE broken_out SUPERUSER"
    alice.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('x', sql => %s))", [break_out])
    for what in ("ROLE", "SESSION AUTHORIZATION"):
        become, back = f"SET {what} alice", f"RESET {what}"
        db.execute(become.encode())
        state, message, _ = refusal(db, "SELECT * FROM pgagent_py.run_due()")
        assert (state, message) == ("42501", "role alice has not logged in itself")
        db.execute(back.encode())
    # A function of hers that a superuser is made to call: neither does it run her job with the superuser's rights, nor does
    # it leave a registration behind that would make the superuser's own run_due() do so, nor hand her the other jobs' code.
    db.execute("CREATE SCHEMA AUTHORIZATION alice")
    alice.execute("""CREATE FUNCTION alice.trap(call text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
                     BEGIN RETURN QUERY EXECUTE 'SELECT t::text FROM ' || call || ' t'; END $$""")
    uuid = "gen_random_uuid()"
    for call in ("pgagent_py.run_due()", "pgagent_py.run_due(1)", f"pgagent_py.start_agent({uuid}, 'x')",
                 f"pgagent_py._ask('start_session', jsonb_build_object('agent', {uuid}))"):  # fmt: skip
        assert refusal(db, "SELECT alice.trap(%s)", [call])[0] == "42501", call
    assert rows(db, "SELECT * FROM pgagent_py.run_due()") == []
    # The superuser's session is a launcher's: she still can't take turns in its name.
    db.execute("SELECT pgagent_py.add_job('unowned', sql => 'SELECT 1')")
    db.execute("SELECT pgagent_py.start_agent(%s, 'x')", [psycopg_uuid])
    db.execute("SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job")
    assert rows(db, "SELECT * FROM alice.trap('pgagent_py.this_agent')") == []
    assert rows(db, "SELECT * FROM alice.trap('pgagent_py.steps_in_progress()')") == []
    assert refusal(db, "SELECT alice.trap('pgagent_py.run_due(100)')")[0] == "42501"
    handed_out = rows(db, "SELECT jobname, jobrunas FROM pgagent_py.run_due(100) ORDER BY 1")
    assert handed_out == [("unowned", None), ("x", "alice")]
    assert len(rows(db, "SELECT * FROM pgagent_py.steps_in_progress()")) == 2
    assert rows(db, "SELECT * FROM alice.trap('pgagent_py.steps_in_progress()')") == []
    db.execute("SELECT alice.trap('pgagent_py.stop_agent()')")
    assert len(rows(db, "SELECT * FROM pgagent_py.this_agent")) == 1
    db.execute("SELECT pgagent_py.stop_agent()")
    assert rows(db, "SELECT * FROM pgagent_py.agent") == []
    db.execute("DROP SCHEMA alice CASCADE")


def test_who_gets_the_pid_of_an_agent_that_is_gone_is_not_that_agent(alice: Db, db: Db) -> None:
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('unowned', sql => 'SELECT 1'))")
    register = "INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (%s, 'x')"
    db.execute(register.encode(), [alice.info.backend_pid])
    db.execute(
        """INSERT INTO pgagent_py.agent (agent, jagpid, jagstation, backend_start, jagrole, jagall, jagown)
                  VALUES (%s, %s, 'x', now() - interval '1 hour', 'postgres'::regrole, true, true)""",
        [psycopg_uuid, alice.info.backend_pid],
    )
    assert rows(alice, "SELECT * FROM pgagent_py.this_agent") == []
    assert rows(alice, "SELECT * FROM pgagent_py.steps_in_progress()") == []
    assert refusal(alice, "SELECT * FROM pgagent_py.run_due(5)")[0] == "42501"
    assert rows(alice, "SELECT * FROM pgagent_py.run_due()") == []
    assert value(db, "SELECT count(*) FROM pgagent.pga_joblog") == 0


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
                if f["name"] not in ("_firing", "_ask")
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


def test_an_atomic_step_is_booked_by_its_owner_only(database: str, alice: Db, bob: Db, db: Db) -> None:
    for connection in (alice, bob, db):
        job = value(connection, "SELECT pgagent_py.add_job('x')")
        connection.execute("SELECT pgagent_py.add_step(%s, 'a', sql => 'SELECT 1', atomic => true)", [job])
        connection.execute("SELECT pgagent_py.run_now(%s)", [job])
    with login(database, "starter") as starter:
        starter.execute("SELECT pgagent_py.start_agent(%s, 'x')", [psycopg_uuid])
        handed_out = rows(starter, "SELECT jobrunas, jslid FROM pgagent_py.run_due(10)")
        log = dict(handed_out)
        assert log.keys() == {"alice", "bob", None}
        book = "SELECT pgagent_py.finish_step(%s, 1, 'done', '1 s')"
        for connection, own in ((alice, "alice"), (bob, "bob"), (starter, None)):
            for other in log.keys() - {own}:
                state, message, _ = refusal(connection, book, [log[other]])
                assert (state, message) == (
                    "55000", f"step log entry {log[other]} is not that of an atomic step in progress",
                )  # fmt: skip
        for connection, own in ((alice, "alice"), (bob, "bob"), (starter, None)):
            connection.execute(book.encode(), [log[own]])
            assert refusal(connection, book, [log[own]])[0] == "55000"
        starter.execute("SELECT pgagent_py.stop_agent()")
    assert rows(db, "SELECT DISTINCT jslstatus, jsloutput FROM pgagent.pga_jobsteplog") == [("s", "done")]


def hand_out(database: str) -> list[dict[str, Any]]:
    """Take one turn as a launcher, and leave."""
    with login(database, "starter") as starter, starter.cursor(row_factory=dict_row) as cursor:
        starter.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'x')")
        found = cursor.execute("SELECT * FROM pgagent_py.run_due(100)").fetchall()
        starter.execute("SELECT pgagent_py.stop_agent()")
    return found


def test_rights_count_when_a_run_starts(database: str, db: Db, alice: Db) -> None:
    db.execute("GRANT pgagent_py_batch TO alice")
    job = value(alice, "SELECT pgagent_py.add_job('x')")
    alice.execute("SELECT pgagent_py.add_step(%s, '1', batch => 'id', on_error => 'ignore')", [job])
    alice.execute("SELECT pgagent_py.add_step(%s, '2', sql => 'SELECT 1')", [job])
    alice.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert [step["jstname"] for step in hand_out(database)] == ["1"]
    db.execute("REVOKE pgagent_py_batch FROM alice")
    alice.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert [(step["jstname"], step["jobrunas"]) for step in hand_out(database)] == [("2", "alice")]
    refused = rows(db, "SELECT jslstatus, jslresult, jsloutput FROM pgagent.pga_jobsteplog ORDER BY jslid")[1]
    assert refused == (
        "i", -1, "Not executed: role alice, the job's owner, is not a member of pgagent_py_batch."
    )  # fmt: skip


def test_a_job_follows_a_role_that_is_renamed_and_not_a_new_one_of_its_name(
    cluster: Cluster, database: str, db: Db
) -> None:
    db.execute("CREATE ROLE dora LOGIN IN ROLE pgagent_py_user")
    try:
        with login(database, "dora") as dora:
            job = value(dora, "SELECT pgagent_py.add_job('x', sql => 'SELECT 1')")
        db.execute("ALTER ROLE dora RENAME TO dora_b")
        db.execute("CREATE ROLE dora LOGIN IN ROLE pgagent_py_user")
        with login(database, "dora") as dora:
            assert rows(dora, "SELECT * FROM pgagent_py.visible_job") == []
            assert refusal(dora, "SELECT pgagent_py.drop_job(%s)", [job])[0] == "22023"
        with login(database, "dora_b") as dora:
            assert value(dora, "SELECT jobowner FROM pgagent_py.visible_job") == "dora_b"
            dora.execute("SELECT pgagent_py.run_now(%s)", [job])
        assert [step["jobrunas"] for step in hand_out(database)] == ["dora_b"]
        # the launcher that has registered meanwhile has made the dump carry the new name
        assert rows(db, "SELECT jobowner FROM pgagent_py.job_option") == [("dora_b",)]
        db.execute("DROP ROLE dora_b; CREATE ROLE dora_b LOGIN IN ROLE pgagent_py_user")
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
        assert hand_out(database) == []
        assert rows(db, "SELECT jslstatus, jsloutput FROM pgagent.pga_jobsteplog ORDER BY jslid")[1] == (
            "f", "Not executed: role dora_b, the job's owner, does not exist (any more)."
        )  # fmt: skip
        with login(database, "dora_b") as new_dora:
            assert rows(new_dora, "SELECT * FROM pgagent_py.visible_job") == []
    finally:
        for role in ("dora", "dora_b"):
            db.execute(f"DROP ROLE IF EXISTS {role}".encode())
    assert cluster


def test_a_dump_carries_the_names(
    cluster: Cluster, database: str, bare_database: str, db: Db, alice: Db
) -> None:
    db.execute("CREATE ROLE leaver LOGIN IN ROLE pgagent_py_user")
    with login(database, "leaver") as leaver:
        value(leaver, "SELECT pgagent_py.add_job('left', sql => 'SELECT 1')")
    db.execute("CREATE ROLE fill LOGIN; DROP ROLE fill")
    job = value(alice, "SELECT pgagent_py.add_job('x', sql => 'SELECT 1')")
    dump = cluster.run("pg_dump", database.split("dbname=")[1].split()[0]).stdout
    db.execute("DROP ROLE leaver")
    db.execute("ALTER ROLE alice RENAME TO alice_before; CREATE ROLE alice LOGIN IN ROLE pgagent_py_user")
    try:
        name = bare_database.split("dbname=")[1].split()[0]
        cluster.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", name, input=dump)
        with login(bare_database, "alice") as new_alice:
            assert rows(new_alice, "SELECT jobid FROM pgagent_py.visible_job") == [(job,)]
        with psycopg.connect(bare_database, autocommit=True) as restored:
            restored.execute("SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job")
            assert [step["jobrunas"] for step in hand_out(bare_database)] == ["alice"]
            assert value(restored, "SELECT jsloutput FROM pgagent.pga_jobsteplog WHERE jslstatus = 'f'") == (
                "Not executed: role leaver, the job's owner, does not exist (any more)."
            )
    finally:
        db.execute("DROP ROLE alice; ALTER ROLE alice_before RENAME TO alice")


def test_an_agent_that_knows_no_owners_gets_no_owned_job(db: Db, alice: Db) -> None:
    """The C++ daemon claims like this; it would run alice's code with its own rights."""
    owned = value(alice, "SELECT pgagent_py.add_job('owned', sql => 'SELECT 1')")
    unowned = value(db, "SELECT pgagent_py.add_job('unowned', sql => 'SELECT 1')")
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
    db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'x')")
    claimed = rows(
        db,
        """UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid(), joblastrun = now()
                           WHERE jobagentid IS NULL AND jobnextrun <= now() RETURNING jobid""",
    )
    assert claimed == [(unowned,)]
    assert value(db, "SELECT jobagentid FROM pgagent.pga_job WHERE jobid = %s", owned) is None


def test_settings_are_no_secret_that_everyone_reads(alice: Db) -> None:
    assert refusal(alice, "TABLE pgagent_py.setting")[0] == "42501"
    assert value(alice, "SELECT pgagent_py.default_timezone()") == "UTC"
