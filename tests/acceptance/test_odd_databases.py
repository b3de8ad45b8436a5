"""Databases with settings and encodings of their own."""

import asyncio
import os
import subprocess

import psycopg
import pytest

from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult
from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    Cluster,
    Db,
    add_dependency,
    add_due_job,
    add_job,
    add_yearly_job,
    call,
    first_step,
    make_due,
    output,
    pg_config,
    rows,
    run_due,
    run_now,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_row,
)
from tests.helpers.sql_steps import step_run, with_pool


def test_settings_of_the_database_do_not_disturb_the_launcher(
    own_cluster: Cluster, launcher: StartLauncher
) -> None:
    """What a role or database sets for other sessions does not disturb the control connection."""
    with own_cluster.connect(TEMPLATE) as db:
        for setting in (
            "statement_timeout = 3000", "lock_timeout = 1", "default_transaction_read_only = on",
            "default_transaction_isolation = serializable", "synchronous_commit = off", "idle_session_timeout = 3000",
        ):  # fmt: skip
            db.execute(f"ALTER DATABASE {TEMPLATE} SET {setting}".encode())
        agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
        job = add_yearly_job(db, "a", {"batch": "sleep 5"}, {"batch": "exit 0"})
        make_due(db, job)
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "ss")]
        assert "trying again" not in agent.log_text()


def test_characters_that_the_database_cannot_store_are_replaced(
    cluster: Cluster, launcher: StartLauncher
) -> None:
    """In a database that is not UTF-8 the characters that it does not have are replaced; the launcher goes on."""
    with cluster.connect() as server:
        server.execute("CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with cluster.connect("latin1") as db:
            db.execute("CREATE EXTENSION pgagent_py CASCADE")
            agent = serving(launcher("-l", "2", cluster.conninfo("latin1")))
            job = add_yearly_job(db, "caf\u00e9", {"batch": r"printf 'caf\303\251 \342\202\254\n'"})
            make_due(db, job)
            wait_for_end(db, job)
            assert statuses(db, job) == [("s", "s")]
            assert output(db, job) == "caf\u00e9 ?\n"
            stop(agent)
    finally:
        with cluster.connect() as server:
            server.execute("DROP DATABASE latin1 WITH (FORCE)")


ODD = r"E'caf\351'"  # in LATIN1: no UTF-8


PARAMETERS = r"""
    DO $$ BEGIN
        ASSERT current_setting('pgagent_py.parameters')::jsonb #>> '{triggered_by,0,name}' = E'caf\\351';
    END $$"""


async def three_at_once(pool: SqlPool) -> list[StepResult]:
    """Execute a step on each of three connections that are opened together."""
    steps = [SqlStep(step_run(f"SELECT {ODD}, pg_sleep(0.2)"), pool) for _ in range(3)]
    return await asyncio.gather(*(step.execute() for step in steps))


def check_odd_names(db: Db) -> None:
    """Names that are not UTF-8 disturb neither the log of a launcher, nor dependencies, messages and schedules."""
    first, second = add_yearly_job(db, "first", "SELECT 1/0"), add_job(db, "second", PARAMETERS)
    add_dependency(db, second, first, "failure")
    call(db, "add_message", first, "webhook", "http://127.0.0.1:1/", "failure")
    db.execute("SELECT pgagent_py.alter_schedule(jscid, spread => '5 min') FROM pgagent.pga_schedule")
    for column in ("job.jobname", "job.jobdesc", "jobstep.jstname", "schedule.jscname"):
        table, name = column.split(".")
        key = "jobid" if table == "job" else f"{name[:3]}jobid"
        db.execute(f"UPDATE pgagent.pga_{table} SET {name} = {ODD} WHERE {key} = {first}".encode())
    make_due(db, first)
    wait_for_end(db, first, second)
    wait_for(lambda: statuses(db, second) == [("s", "s")], what="the second job's run")
    wait_for_row(db, "SELECT 1 FROM pgagent_py.queued_message WHERE qmserror LIKE '%%refused%%'")
    assert rows(db, "SELECT error FROM pgagent_py.problems") == []
    next_ = "SELECT jobnextrun IS NOT NULL FROM pgagent.pga_job WHERE jobid = %s"
    assert value(db, next_, first)
    assert (first, r"caf\351") in rows(db, "SELECT jobid, jobname FROM pgagent_py.upcoming_runs('infinity')")
    call(db, "drop_job", first)
    call(db, "drop_job", second)


def test_bytes_that_are_not_utf8_are_escaped_and_disturb_no_step(
    cluster: Cluster, launcher: StartLauncher
) -> None:
    """In a SQL_ASCII database, text is bytes: psql runs such steps, too."""
    with cluster.connect() as server:
        server.execute("CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    try:
        utf8 = cluster.conninfo("bytes", client_encoding="UTF8")
        with psycopg.connect(utf8, autocommit=True) as db:
            db.execute("CREATE EXTENSION pgagent_py CASCADE")
            codes = [
                r"SELECT E'caf\351'",
                r"DO $$ BEGIN RAISE NOTICE E'caf\351'; END $$",
                r"COPY (SELECT E'caf\351') TO STDOUT",
                r"DO $$ BEGIN RAISE EXCEPTION E'caf\351'; END $$",
            ]
            job = add_yearly_job(db, "x", *({"sql": code, "on_error": "ignore"} for code in codes))
            call(db, "alter_step", call(db, "add_step", job, "5", sql=codes[1], atomic=True), description="x")
            db.execute(f"UPDATE pgagent.pga_job SET jobname = {ODD}".encode())
            agent = serving(launcher("-l", "2", cluster.conninfo("bytes")))
            make_due(db, job)
            wait_for_end(db, job)
            assert statuses(db, job) == [("s", "sssis")]
            outputs = [output(db, job, step) for step in range(1, 6)]
            assert outputs[0] == "SELECT 1\n"
            assert [r"caf\xe9" in text for text in outputs[1:]] == [True] * 4
            check_odd_names(db)
            stop(agent)
            make_due(db, job)
            db.execute("UPDATE pgagent.pga_jobstep SET jstenabled = jstname = '1'")
            assert run_due(db) == [r"caf\351"]

            # Several connections at once find out each for itself that the database is not UTF-8.
            results = with_pool(utf8, three_at_once)
            assert [result.jslstatus for result in results] == ["s"] * 3, results

            # By hand, where no error may come to PL/Python: it ends the server.
            call(db, "drop_job", job)
            codes = [
                codes[0],
                codes[3],
                r"SELECT E'caf\351'::int",
                r"DO $$ BEGIN ASSERT false, E'caf\351'; END $$",
                r"DO $$ BEGIN RAISE EXCEPTION SQLSTATE '57014' USING MESSAGE = E'caf\351', HINT = E'\351'; END $$",
                r"CREATE TEMP TABLE x (a text); INSERT INTO x VALUES (E'caf\351'), ('b')",
                "COMMIT",
            ]
            job = add_due_job(db, "y", *({"sql": code, "on_error": "ignore"} for code in codes))
            db.execute("UPDATE pgagent_py.step_option SET jstkeeprows = 3")
            assert run_due(db) == ["y"] * len(codes)
            assert statuses(db, job) == [("s", "siiiisi")]
            outputs = [output(db, job, step) for step in range(1, len(codes) + 1)]
            assert [r"caf\351" in text for text in outputs] == [False, True, True, True, True, False, False]
    finally:
        with cluster.connect() as server:
            server.execute("DROP DATABASE bytes WITH (FORCE)")


@pytest.mark.parametrize("code", ["\ufeffSELECT 1", "\ufeff", "-- nothing", "/* a */ -- b", "", " ;; "])
def test_a_byte_order_mark_and_a_step_of_comments_are_as_in_psql(
    database: str, db: psycopg.Connection[object], launcher: StartLauncher, code: str
) -> None:
    job = add_due_job(db, "x", "SELECT 2")
    db.execute("UPDATE pgagent.pga_jobstep SET jstcode = %s", [code])
    assert run_due(db) == ["x"]
    process = serving(launcher("-l", "2", database))
    make_due(db, job)
    wait_for_end(db, job)
    assert statuses(db, job) == [("s", "s"), ("s", "s")]
    assert first_step(db, job)
    stop(process)


@pytest.fixture(params=["de_DE", "ru_RU"])
def foreign_cluster(own_cluster: Cluster, request: pytest.FixtureRequest) -> Cluster:
    """Return a server with few connections whose messages are in German or Russian."""
    if "--enable-nls" not in str(pg_config("--configure")):
        pytest.skip("the server has been built for English only")
    locales = own_cluster.directory / "locales"
    locales.mkdir()
    name = f"{request.param}.UTF-8"
    command = ["localedef", "-i", request.param, "-f", "UTF-8", str(locales / name)]
    subprocess.run(command, check=True, capture_output=True)
    catalogs = pg_config("--localedir")
    if not catalogs.exists():  # the tests' server is a copy without them
        catalogs.parent.mkdir(parents=True, exist_ok=True)
        catalogs.symlink_to("/usr/share/locale")
    own_cluster.stop()
    os.environ["LOCPATH"] = str(locales)
    try:
        own_cluster.start(lc_messages=name, max_connections=8, superuser_reserved_connections=1)
    finally:
        del os.environ["LOCPATH"]
    with own_cluster.connect() as db:
        with pytest.raises(psycopg.errors.DivisionByZero) as error:
            db.execute("SELECT 1/0")
        assert "division by zero" not in str(error.value)
    return own_cluster


def fill(cluster: Cluster) -> list[psycopg.Connection[object]]:
    """Take all connections that the server has left."""
    others: list[psycopg.Connection[object]] = []
    try:
        while True:
            others.append(psycopg.connect(cluster.conninfo(TEMPLATE)))
    except psycopg.OperationalError:
        return others


def test_steps_wait_for_a_place_and_fail_at_a_mistake_in_any_language(
    foreign_cluster: Cluster, launcher: StartLauncher
) -> None:
    with foreign_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE DATABASE small CONNECTION LIMIT 0")
        db.execute("CREATE DATABASE closed ALLOW_CONNECTIONS false")
        db.execute("CREATE ROLE boss LOGIN IN ROLE pgagent_py_user; ALTER ROLE boss CONNECTION LIMIT 0")
        mistaken = launcher(foreign_cluster.conninfo("no_such_database"))
        agent = serving(launcher("-l", "2", foreign_cluster.conninfo(TEMPLATE)))
        closed, none = (
            add_due_job(db, name, {"sql": "SELECT 1", "database": name}) for name in ("closed", "none")
        )
        limited = add_job(db, "limited", "SELECT 1")
        call(db, "alter_job", limited, owner="boss")
        run_now(db, limited)
        wait_for_end(db, closed, none)
        assert [statuses(db, job) for job in (closed, none)] == [[("f", "f")]] * 2
        wait_for(lambda: "Waiting for a connection" in output(db, limited), what="the step to wait")
        db.execute("ALTER ROLE boss CONNECTION LIMIT 5")
        wait_for_end(db, limited)
        assert statuses(db, limited) == [("s", "s")]

        assert mistaken.wait() == 1
        assert "no_such_database" in mistaken.log_text()
        others = fill(foreign_cluster)
        waiting = add_due_job(db, "waiting", {"sql": "SELECT 1", "database": "postgres"})
        wait_for(lambda: "Waiting for a connection" in output(db, waiting), what="the step to wait")
        for other in others:
            other.close()
        wait_for_end(db, waiting)
        assert statuses(db, waiting) == [("s", "s")]
        assert rows(db, "SELECT error FROM pgagent_py.problems") == []
        assert value(db, "SHOW lc_messages").endswith("UTF-8")
        stop(agent)
