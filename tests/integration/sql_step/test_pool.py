"""launcher/sql_pool.py: which connections SQL steps get, and when connections are closed."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from launcher import sql_pool
from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.sql_target import Target
from launcher.step import StepResult, StepRun
from tests.helpers import PATIENCE, Cluster, Db, wait_for, wait_for_row
from tests.helpers.sql_steps import (
    ASLEEP,
    SAY_BACKEND,
    WAIT_AT_GATE,
    backend_of,
    backends,
    execute,
    gate_of,
    running,
    step_run,
    with_pool,
)
from tests.helpers.steps import until

TOP = Path(__file__).resolve().parents[3]


@pytest.mark.usefixtures("patient")
def test_one_connection_serves_step_after_step(shared: str) -> None:
    results = execute(shared, *[SAY_BACKEND] * 20)
    assert len({backend_of(result) for result in results}) == 1


def test_steps_at_the_same_time_have_a_connection_each(shared: str) -> None:
    async def scenario(pool: SqlPool) -> list[StepResult]:
        with gate_of(shared) as gate:
            steps = [SqlStep(step_run(f"{WAIT_AT_GATE}; {SAY_BACKEND}"), pool) for _ in range(8)]
            tasks = [asyncio.create_task(step.execute()) for step in steps]
            await gate.holds(8)
        return await asyncio.gather(*tasks)

    results = with_pool(shared, scenario, workers=8)
    assert len({backend_of(result) for result in results}) == 8


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("patience", "connections"), [(PATIENCE, sql_pool.SHARED_CONNECTIONS), (0.0, 12)])
def test_steps_on_warm_connections_share_few_of_them_and_use_the_others_if_these_do_not_come_back(
    shared: str, monkeypatch: pytest.MonkeyPatch, patience: float, connections: int
) -> None:
    async def scenario(pool: SqlPool) -> list[StepResult]:
        async def at_once(code: str, wait: bool) -> list[StepResult]:
            if not wait:
                return await asyncio.gather(*(SqlStep(step_run(code), pool).execute() for _ in range(12)))
            with gate_of(shared) as gate:
                code = f"{WAIT_AT_GATE}; {code}"
                tasks = [asyncio.create_task(SqlStep(step_run(code), pool).execute()) for _ in range(12)]
                await gate.holds(12)
            return await asyncio.gather(*tasks)

        await at_once("SELECT 1", True)
        (target,) = pool._targets.values()
        await until(lambda: len(target.idle) == 12 and not target.spread_planned)
        monkeypatch.setattr(sql_pool, "SHARE_SECONDS", patience)
        return await at_once(SAY_BACKEND, not patience)

    results = with_pool(shared, scenario, workers=12)
    assert len({backend_of(result) for result in results}) == connections


def test_a_step_does_not_wait_for_connections_that_are_out_for_long(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(pool: SqlPool) -> bool:
        number = sql_pool.SHARED_CONNECTIONS + 2
        with gate_of(shared) as gate:
            long = [
                asyncio.create_task(SqlStep(step_run(WAIT_AT_GATE), pool).execute()) for _ in range(number)
            ]
            await gate.holds(number)
            (target,) = pool._targets.values()
            await until(lambda: len(target.just_out) < sql_pool.SHARED_CONNECTIONS)
            monkeypatch.setattr(sql_pool, "SHARE_SECONDS", PATIENCE)
            await SqlStep(step_run("SELECT 1"), pool).execute()
            still_out = gate.waiting() == number
        await asyncio.gather(*long)
        return still_out

    assert with_pool(shared, scenario, workers=8)


def test_a_long_reset_does_not_hold_up_another_step(database: str) -> None:
    """The first step's temporary table can't be dropped as long as another session has a catalog locked."""

    async def scenario(pool: SqlPool) -> list[StepResult]:
        with psycopg.connect(database) as session:
            with gate_of(database) as gate:
                code = f"CREATE TEMP TABLE x (); COMMIT; {WAIT_AT_GATE}; {SAY_BACKEND}"
                first = asyncio.create_task(SqlStep(step_run(code), pool).execute())
                await gate.holds(1)
                session.execute("LOCK TABLE pg_depend IN SHARE ROW EXCLUSIVE MODE")
            return [await first, await SqlStep(step_run(SAY_BACKEND), pool).execute()]

    first, second = with_pool(database, scenario)
    assert (first.jslstatus, second.jslstatus) == ("s", "s")
    assert backend_of(first) != backend_of(second)


def test_idle_connections_are_closed_after_a_while(database: str, db: Db) -> None:
    """Those that nobody has used meanwhile."""

    async def scenario(pool: SqlPool) -> None:
        async def execute_together(number: int) -> list[asyncio.Task[StepResult]]:
            steps = [SqlStep(step_run(WAIT_AT_GATE), pool) for _ in range(number)]
            tasks = [asyncio.create_task(step.execute()) for step in steps]
            await gate.holds(number)
            return tasks

        with gate_of(database) as gate:
            tasks = await execute_together(3)
            assert backends(db) == 3
        await asyncio.gather(*tasks)
        with gate_of(database) as gate:
            tasks = await execute_together(1)
            await until(lambda: backends(db) == 1)
        await asyncio.gather(*tasks)
        await until(lambda: backends(db) == 0)

    with_pool(database, scenario, idle_seconds=0.5)


@pytest.mark.usefixtures("patient")
def test_a_role_that_may_not_log_in_any_more_stops_even_if_its_steps_keep_a_connection_warm(
    database: str, db: Db
) -> None:
    db.execute("CREATE ROLE leaving LOGIN")

    async def scenario(pool: SqlPool) -> None:
        async def execute_step() -> StepResult:
            return await SqlStep(step_run(SAY_BACKEND, jobrunas="leaving"), pool).execute()

        first = await execute_step()
        db.execute("ALTER ROLE leaving NOLOGIN")
        assert backend_of(await execute_step()) == backend_of(first)
        pool._use_seconds = 0.5
        async with asyncio.timeout(PATIENCE):
            while (result := await execute_step()).jslstatus == "s":
                await asyncio.sleep(0.01)
        assert "is not permitted to log in" in result.jsloutput

    try:
        with_pool(database, scenario, workers=1, use_seconds=5 * PATIENCE)
    finally:
        db.execute("DROP ROLE leaving")


def test_no_more_connections_than_workers(database: str, db: Db) -> None:
    names = [f"{db.info.dbname}_{number}" for number in range(4)]
    for name in names:
        db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    async def scenario(pool: SqlPool) -> int:
        most = 0
        for name in names * 2:
            result = await SqlStep(step_run("SELECT 1", jstdbname=name), pool).execute()
            assert result.jslstatus == "s"
            await until(lambda: backends(db) <= 2)
            most = max(most, backends(db))
        return most

    try:
        assert with_pool(database, scenario, workers=2) == 2
    finally:
        for name in names:
            db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_connections_may_be_declared_old(shared: str) -> None:
    async def scenario(pool: SqlPool) -> list[int]:
        first = await SqlStep(step_run(SAY_BACKEND), pool).execute()
        pool.close_idle()
        with gate_of(shared) as gate:
            slow = asyncio.create_task(SqlStep(step_run(f"{SAY_BACKEND}; {WAIT_AT_GATE}"), pool).execute())
            await gate.holds(1)
            pool.close_idle()
        last = await SqlStep(step_run(SAY_BACKEND), pool).execute()
        return [backend_of(result) for result in (first, await slow, last)]

    assert len(set(with_pool(shared, scenario, workers=1))) == 3


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_server_fails_the_step_it_cuts_and_no_later_one(
    own_cluster: Cluster, mode: Any
) -> None:
    async def scenario(pool: SqlPool) -> tuple[StepResult, StepResult]:
        cut = SqlStep(step_run("SELECT pg_sleep(600)"), pool)
        async with running(cut) as task:
            with own_cluster.connect() as looking:
                await until(lambda: looking.execute(ASLEEP, ["%"]).rowcount == 1)
            await SqlStep(step_run("SELECT 1"), pool).execute()  # leaves a warm connection behind
            await asyncio.to_thread(own_cluster.restart, mode)
            return await task, await SqlStep(step_run("SELECT 1"), pool).execute()

    cut, after = with_pool(own_cluster.conninfo(), scenario)
    assert (cut.jslstatus, cut.jslresult) == ("f", -1)
    assert "terminating connection" in cut.jsloutput or "server closed the connection" in cut.jsloutput
    assert (after.jslstatus, after.jsloutput) == ("s", "SELECT 1\n")


def test_warm_connections_that_were_cut_are_not_used(database: str, db: Db) -> None:
    async def scenario(pool: SqlPool) -> StepResult:
        await SqlStep(step_run("SELECT 1"), pool).execute()
        await until(lambda: backends(db) == 1)
        query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'pgagent-py'"
        assert db.execute(query).fetchall() == [(True,)]  # the loop does not turn between this and the step
        return await SqlStep(step_run("SELECT 1"), pool).execute()

    assert with_pool(database, scenario).jslstatus == "s"


def test_a_killed_launchers_step_ends_on_the_server(database: str, db: Db) -> None:
    program = (
        "import asyncio, json, sys\n"
        "from launcher.sql_step import SqlStep\nfrom launcher.sql_pool import SqlPool\n"
        "from launcher.step import StepRun\n"
        "async def main():\n"
        "    conninfo, run = json.loads(sys.argv[1])\n"
        "    await SqlStep(StepRun(**run), SqlPool(conninfo, 1)).execute()\n"
        "asyncio.run(main())\n"
    )
    run = {name: getattr(step_run("SELECT pg_sleep(600)"), name) for name in StepRun.__dataclass_fields__}
    process = subprocess.Popen([sys.executable, "-c", program, json.dumps([database, run])], cwd=TOP)
    try:
        query = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
        wait_for_row(db, query)
    finally:
        process.kill()
        process.wait()
    wait_for(lambda: not db.execute(query).fetchall(), what="the end of the step's backend")


def test_a_fault_of_ours_while_connecting_fails_the_step(
    shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr(Target, "connect", broken)
    [result] = execute(shared, "SELECT 1")
    assert (result.jslstatus, result.jsloutput) == ("f", "Error in the launcher: ValueError\n")
