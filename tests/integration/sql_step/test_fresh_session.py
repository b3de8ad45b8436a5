"""What an SQL step leaves behind is gone when the next one begins on its connection."""

import psycopg
import pytest
from psycopg import sql

from launcher import freshness
from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult
from tests.helpers import Db
from tests.helpers.sql_steps import SAY_BACKEND, backend_of, execute, running, step_run, with_pool
from tests.helpers.steps import until


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("code", "trace"),
    [
        ("SET work_mem = '77MB'", "SELECT current_setting('work_mem') = '77MB'"),
        ("SET search_path = pg_catalog", "SELECT current_setting('search_path') = 'pg_catalog'"),
        ("SET client_encoding = 'LATIN1'", "SELECT current_setting('client_encoding') <> 'UTF8'"),
        ("SET ROLE pg_monitor", "SELECT current_user = 'pg_monitor'"),
        ("SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user = 'pg_monitor'"),
        ("CREATE TEMP TABLE x ()", "SELECT to_regclass('pg_temp.x') IS NOT NULL"),
        ("LISTEN a; NOTIFY a", "SELECT EXISTS (SELECT pg_listening_channels())"),
        (
            "SELECT pg_advisory_lock(1)",
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
        ),
        ("PREPARE p AS SELECT 1", "SELECT EXISTS (SELECT FROM pg_prepared_statements)"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "SELECT EXISTS (SELECT FROM pg_cursors)"),
        (
            "BEGIN; CREATE TABLE left_open (); SELECT pg_advisory_xact_lock(2)",
            "SELECT to_regclass('left_open') IS NOT NULL"
            " OR EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
        ),
        ("BEGIN; SELECT 1/0", "SELECT false"),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SELECT current_setting('transaction_read_only')::bool",
        ),
    ],
)
def test_every_step_starts_in_a_fresh_session(shared: str, code: str, trace: str) -> None:
    look = f"DO $$ BEGIN RAISE NOTICE 'backend %, trace %', pg_backend_pid(), ({trace}); END $$"
    before, _, after = execute(shared, SAY_BACKEND, code, look)
    assert backend_of(before) == backend_of(after)
    assert "trace f" in after.jsloutput


CONNECT = "SELECT dblink_connect('x', 'host=' || (string_to_array(current_setting('unix_socket_directories'), ','))[1]"
CONNECT += " || ' port=' || current_setting('port') || ' dbname=' || current_database())"
SETTING = "SELECT current_setting('my.variable', true) IS NOT NULL"
RANDOM = "SELECT random() = 0.9851677175347999"
# What DISCARD ALL leaves behind -> how it shows
STAYS = [
    ("SET my.variable = 'x'", SETTING),
    ("RESET my.variable", SETTING),
    ("SELECT set_config('my.variable', 'x', true)", SETTING),
    ("DO $$ BEGIN EXECUTE 'SET ' || 'my.variable = 1'; END $$", SETTING),
    ("SELECT setseed(0.5)", RANDOM),
    ("SET seed = 0.5", RANDOM),
    (
        "SELECT pg_create_physical_replication_slot('s', false, true)",
        "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE active_pid = pg_backend_pid())",
    ),
    ("LOAD 'auto_explain'", "SELECT current_setting('auto_explain.log_level', true) IS NOT NULL"),
    (
        "SELECT pg_replication_origin_create('o'); SELECT pg_replication_origin_session_setup('o')",
        "SELECT pg_replication_origin_session_is_setup()",
    ),
    (f"CREATE EXTENSION dblink; {CONNECT}", "SELECT dblink_get_connections() IS NOT NULL"),
    ("CREATE EXTENSION plpython3u; DO LANGUAGE plpython3u 'GD[1] = 2'", "SELECT false"),
]
LOOK = "DO $$ BEGIN RAISE NOTICE 'backend %, trace %', pg_backend_pid(), ({}); END $$"


def share_a_backend(conninfo: str, *codes: str) -> bool:
    """Return whether the first and the last step have the same backend; the last finds no trace."""
    results = execute(conninfo, *codes)
    assert [result.jslstatus for result in results] == ["s"] * len(results), results
    assert "trace t" not in results[-1].jsloutput
    return backend_of(results[0]) == backend_of(results[-1])


@pytest.mark.usefixtures("patient")
def test_what_stays_in_a_session_stays_with_the_step_that_left_it(bare_database: str) -> None:
    """The step's own code shows it, in a database that had nothing of the kind."""
    for code, trace in STAYS:
        assert not share_a_backend(bare_database, SAY_BACKEND, code, LOOK.format(trace)), code
        with psycopg.connect(bare_database, autocommit=True) as db:
            db.execute("DROP EXTENSION IF EXISTS dblink, plpython3u")
    with psycopg.connect(bare_database, autocommit=True) as db:
        db.execute("SELECT pg_replication_origin_drop('o')")
    assert share_a_backend(bare_database, SAY_BACKEND, "SET work_mem = '1.5GB'", SAY_BACKEND)


# Of a database: what makes its steps leave something
FUNCTIONS = [
    "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT set_config(''my.variable'', ''x'', true)'",
    "CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT set_config('my.variable', 'x', true); END",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET my.variable = 1 AS 'SELECT 1'",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET my.variable TO 1; END $$",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM setseed(0.5); END $$",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpython3u AS 'GD[1] = 2'",
    "CREATE FUNCTION f() RETURNS text[] AS '$libdir/dblink', 'dblink_get_connections' LANGUAGE c",
]


@pytest.mark.usefixtures("patient")
def test_a_function_that_may_leave_something_gives_each_step_a_backend(
    database: str, db: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is seen on connections that are warm already. The functions of pgagent_py are none of them."""
    monkeypatch.setattr(freshness, "CHECK_SECONDS", 0.0)
    trace = f"SELECT coalesce(({SETTING}) OR ({RANDOM}), false)"
    assert share_a_backend(database, SAY_BACKEND, "SELECT pgagent_py.version()", LOOK.format(trace))
    for function in FUNCTIONS:
        create = f"DO $x$ BEGIN EXECUTE {sql.Literal(function).as_string()}; END $x$"

        async def scenario(pool: SqlPool, create: str = create) -> list[StepResult]:
            first = await SqlStep(step_run(SAY_BACKEND), pool).execute()
            db.execute(create)
            codes = ["SELECT f()", LOOK.format(trace), "SELECT f()", LOOK.format(trace)]
            return [first, *[await SqlStep(step_run(code), pool).execute() for code in codes]]

        first, _, second, _, third = with_pool(database, scenario, workers=1)
        assert len({backend_of(result) for result in (first, second, third)}) == 3, function
        assert "trace t" not in second.jsloutput + third.jsloutput
        db.execute("DROP FUNCTION f")


def test_what_a_step_has_left_by_a_function_that_has_just_come_goes_soon(bare_database: str) -> None:
    """Here a lock. The launcher does not wait with it until the connection is needed again."""

    async def scenario(pool: SqlPool) -> StepResult:
        await SqlStep(step_run("SELECT 1"), pool).execute()
        with psycopg.connect(bare_database, autocommit=True) as db:
            db.execute("CREATE EXTENSION dblink; CREATE TABLE t ()")
            lock = f"{CONNECT}; SELECT dblink_exec('x', 'BEGIN; LOCK TABLE t'); SELECT 1/0"
            result = await SqlStep(step_run(lock), pool).execute()
            locked = "SELECT FROM pg_locks WHERE relation = 't'::regclass"
            await until(lambda: db.execute(locked).rowcount == 0)
        return result

    result = with_pool(bare_database, scenario, workers=1, idle_seconds=600.0)
    assert "division by zero" in result.jsloutput


@pytest.mark.usefixtures("patient")
def test_settings_of_roles_and_databases_are_those_of_now(
    bare_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(pool: SqlPool) -> StepResult:
        await SqlStep(step_run("SELECT 1"), pool).execute()
        with psycopg.connect(bare_database, autocommit=True) as db:
            db.execute(f"ALTER DATABASE {db.info.dbname} SET work_mem = '77MB'")
        return await SqlStep(
            step_run("SELECT 1 / (current_setting('work_mem') = '77MB')::int"), pool
        ).execute()

    monkeypatch.setattr(freshness, "CHECK_SECONDS", 0.0)
    assert with_pool(bare_database, scenario, workers=1).jslstatus == "s"


@pytest.mark.usefixtures("patient")
def test_the_extensions_of_contrib_are_sorted(bare_database: str) -> None:
    """Those that keep nothing in a session leave connections warm, all together; the others do not, one by one."""
    harmless = freshness.HARMLESS.split()
    with psycopg.connect(bare_database, autocommit=True) as db:
        there = {name for (name,) in db.execute("SELECT name FROM pg_available_extensions")}
        for name in sorted(there.intersection(harmless) - {"pgagent", "pgagent_py"}):
            db.execute(f'CREATE EXTENSION IF NOT EXISTS "{name}" CASCADE')
        assert share_a_backend(bare_database, SAY_BACKEND, SAY_BACKEND)
        for name in ("dblink", "isn", "postgres_fdw", "refint", "xml2"):
            db.execute(f"CREATE EXTENSION {name}")
            assert not share_a_backend(bare_database, SAY_BACKEND, SAY_BACKEND), name
            db.execute(f"DROP EXTENSION {name}")


def test_a_trace_would_be_seen(shared: str) -> None:
    [result] = execute(
        shared, "SET work_mem = '77MB'; SELECT 1 / (current_setting('work_mem') <> '77MB')::int"
    )
    assert result.jslstatus == "f"


@pytest.mark.parametrize(("code", "status"), [("BEGIN; SELECT 1", "s"), ("BEGIN; SELECT 1/0", "f")])
def test_a_transaction_left_open_is_rolled_back_and_said(shared: str, code: str, status: str) -> None:
    [result] = execute(shared, code)
    assert result.jslstatus == status
    assert result.jsloutput.endswith("The step left a transaction open; it was rolled back.\n")


def test_a_step_that_terminates_its_backend_fails_alone(shared: str) -> None:
    async def scenario(pool: SqlPool) -> tuple[StepResult, StepResult, StepResult]:
        other = SqlStep(step_run("SELECT pg_sleep(0.5)"), pool)
        async with running(other) as task:
            suicide = await SqlStep(step_run("SELECT pg_terminate_backend(pg_backend_pid())"), pool).execute()
            after = await SqlStep(step_run("SELECT 1"), pool).execute()
            return suicide, after, await task

    suicide, after, beside = with_pool(shared, scenario)
    assert (suicide.jslstatus, suicide.jslresult) == ("f", -1)
    assert "FATAL:  terminating connection due to administrator command" in suicide.jsloutput
    assert (after.jslstatus, beside.jslstatus) == ("s", "s")
