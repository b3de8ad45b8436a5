"""launcher/sql_target.py: where SQL steps run, as whom, and connections that can not be had."""

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult
from tests.helpers import PASSWORD, Cluster
from tests.helpers.sql_steps import execute, running, step_run, with_pool
from tests.helpers.steps import until


def test_a_step_runs_in_its_database_or_where_its_connection_string_says(
    cluster: Cluster, database: str
) -> None:
    say = (
        "DO $$ BEGIN RAISE NOTICE '% % %', current_database(), session_user, current_setting('port'); END $$"
    )
    name = conninfo_to_dict(database)["dbname"]

    async def scenario(pool: SqlPool) -> list[str]:
        runs = [
            step_run(say),
            step_run(say, jstdbname="postgres"),
            step_run(say, jstconnstr=cluster.conninfo("template1")),
            step_run(
                say,
                jstconnstr=f"postgresql://postgres@/template1?host={cluster.directory}&port={cluster.port}",
            ),
        ]
        return [(await SqlStep(run, pool).execute()).jsloutput for run in runs]

    rest = f"postgres {cluster.port}\nDO\n"
    assert with_pool(database, scenario) == [
        f"NOTICE:  {name} {rest}",
        f"NOTICE:  postgres {rest}",
        f"NOTICE:  template1 {rest}",
        f"NOTICE:  template1 {rest}",
    ]


@pytest.fixture
def over_tcp(cluster: Cluster, database: str) -> str:
    """Return a connection string that needs the password, and has it."""
    return make_conninfo(database, host="127.0.0.1", port=cluster.port, password=PASSWORD)


SECRET = "geheim-7361"


@pytest.mark.parametrize(
    ("connstr", "words"),
    [
        ("dbname=nowhere", 'FATAL:  database "nowhere" does not exist'),
        (f"host=127.0.0.1 password={SECRET}", 'FATAL:  password authentication failed for user "postgres"'),
        (f"host=127.0.0.1 port=1 password={SECRET}", "Connection refused"),
        (f"host=no.such.host.invalid password={SECRET}", 'failed to resolve host "..."'),
        (f"host=a..b password={SECRET}", "label empty"),
        (f"password=my {SECRET} dbname=x", 'missing "=" after "..." in connection info string'),
        (f"hots=x password={SECRET}", 'invalid connection option "..."'),
        (f"password='{SECRET}", "unterminated quoted string in connection info string"),
        (f"postgresql://postgres:p@{SECRET}@127.0.0.1/postgres", "more than one @"),
        (f"postgresql://postgres:1/{SECRET}@127.0.0.1/postgres", "has a / before its @"),
        (f"postgresql://postgres:{SECRET}", 'failed to resolve host "..."'),
        (f"postgresql://postgres:{SECRET}@127.0.0.1:port/", 'invalid integer value "..."'),
    ],
)
def test_a_connection_that_is_refused_is_told_in_the_servers_or_libpqs_words(
    cluster: Cluster, shared: str, connstr: str, words: str
) -> None:
    if not connstr.startswith("postgresql:"):
        base = cluster.conninfo("postgres")
        connstr = f"{base} {connstr}"
    [result] = execute(shared, "SELECT 1", jstconnstr=connstr)
    assert (result.jslstatus, result.jslresult) == ("f", -1)
    assert words in result.jsloutput
    assert SECRET not in result.jsloutput


def test_a_database_name_is_a_name_and_nothing_else(shared: str) -> None:
    [result] = execute(shared, "SELECT 1", jstdbname="host=127.0.0.1 port=1")
    assert 'FATAL:  database "host=127.0.0.1 port=1" does not exist' in result.jsloutput


def test_a_step_of_a_role_logs_in_as_it(shared: str, role: str) -> None:
    code = "RESET ROLE; RESET SESSION AUTHORIZATION; DO $$ BEGIN RAISE NOTICE '% %', session_user, current_user; END $$"
    [result] = execute(shared, code, jobrunas=role)
    assert f"NOTICE:  {role} {role}\n" in result.jsloutput
    [result] = execute(shared, "SET SESSION AUTHORIZATION postgres", jobrunas=role)
    assert "ERROR:  permission denied" in result.jsloutput


def test_a_step_of_a_role_never_gets_the_launchers_password(
    over_tcp: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [mine] = execute(over_tcp, "SELECT 1")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    [in_string] = execute(over_tcp, "SELECT 1", jobrunas=role)
    [in_environment] = execute(make_conninfo(over_tcp, password=None), "SELECT 1", jobrunas=role)
    assert mine.jslstatus == "s"
    for result in (in_string, in_environment):
        assert result.jslstatus == "f"
        assert "no password supplied" in result.jsloutput


def test_a_step_of_a_role_has_no_connection_string(shared: str, role: str) -> None:
    [result] = execute(shared, "SELECT 1", jobrunas=role, jstconnstr=shared)
    assert result.jslstatus == "f"
    assert "can't have a connection string" in result.jsloutput


def test_a_step_waits_for_a_connection_slot(
    shared: str, cluster: Cluster, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = 0
    connect = psycopg.AsyncConnection.connect

    async def count(*arguments: Any, **options: Any) -> Any:
        nonlocal tried
        tried += 1
        return await connect(*arguments, **options)

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", count)
    with cluster.connect() as admin:
        admin.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 1").format(sql.Identifier(role)))
    held = psycopg.connect(shared, user=role)

    async def scenario(pool: SqlPool) -> tuple[str, StepResult]:
        step = SqlStep(step_run("SELECT 1", jobrunas=role), pool)
        async with running(step) as task:
            await until(lambda: bool(step.output_so_far()))
            waiting = step.output_so_far()
            await until(lambda: tried == 3)
            assert not task.done()
            held.close()
            return waiting, await task

    waiting, result = with_pool(shared, scenario)
    assert waiting.startswith("Waiting for a connection: connection to server")
    assert "FATAL:  too many connections for role" in waiting
    assert (result.jslstatus, result.jslresult) == ("s", 1)
    assert result.jsloutput == waiting + "SELECT 1\n"


def test_a_server_without_slots_is_waited_for(own_cluster: Cluster) -> None:
    own_cluster.stop()
    own_cluster.start(max_connections=6, superuser_reserved_connections=0, max_wal_senders=0)
    held = [own_cluster.connect() for _ in range(6)]

    async def scenario(pool: SqlPool) -> list[StepResult]:
        steps = [SqlStep(step_run("SELECT 1"), pool) for _ in range(3)]
        tasks = [asyncio.create_task(step.execute()) for step in steps]
        await until(lambda: all(step.output_so_far() for step in steps))
        held.pop().close()
        return list(await asyncio.gather(*tasks))

    results = with_pool(own_cluster.conninfo(), scenario)
    for connection in held:
        connection.close()
    assert [result.jslstatus for result in results] == ["s"] * 3
    assert all("FATAL:  sorry, too many clients already" in result.jsloutput for result in results)


def test_the_launchers_own_server_is_waited_for_and_no_other(own_cluster: Cluster) -> None:
    own_cluster.stop()
    [remote] = execute(own_cluster.conninfo(), "SELECT 1", jstconnstr=own_cluster.conninfo())
    assert remote.jslstatus == "f"
    assert "No such file or directory" in remote.jsloutput

    async def scenario(pool: SqlPool) -> StepResult:
        step = SqlStep(step_run("SELECT 1"), pool)
        async with running(step) as task:
            await until(lambda: bool(step.output_so_far()))
            await asyncio.to_thread(own_cluster.start)
            return await task

    local = with_pool(own_cluster.conninfo(), scenario)
    assert (local.jslstatus, local.jslresult) == ("s", 1)
