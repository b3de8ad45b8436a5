"""SQL steps that are cancelled, run out of time, or are left by their launcher."""

import asyncio
from typing import Any

import psycopg
import pytest

from launcher import sql_step
from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult
from tests.helpers import Cluster, Db
from tests.helpers.sql_steps import (
    ASLEEP,
    SAY_BACKEND,
    backends,
    execute,
    running,
    step_run,
    with_pool,
)
from tests.helpers.steps import until


def stop_while_running(conninfo: str, code: str, **stop: Any) -> StepResult:
    """Cancel a step once its query, which sleeps, does so; a step after it must not notice."""

    async def scenario(pool: SqlPool) -> StepResult:
        step = SqlStep(step_run(f"DO $$ BEGIN RAISE NOTICE 'begun'; END $$; {code}"), pool)
        async with running(step) as task:
            with psycopg.connect(conninfo, autocommit=True) as looking:
                await until(lambda: looking.execute(ASLEEP, ["%begun%"]).rowcount == 1)
            await until(lambda: "begun" in step.output_so_far())
            step.cancel("Stopped by the test.", **stop)
            step.cancel("Stopped again.", "f")
            result = await task
        step.cancel("Too late.")
        for _ in range(5):
            after = await SqlStep(step_run("SELECT pg_sleep(0.02)"), pool).execute()
            assert after.jslstatus == "s", after
        return result

    return with_pool(conninfo, scenario)


def test_a_cancelled_step_ends_with_the_servers_words_and_the_note(shared: str) -> None:
    result = stop_while_running(shared, "SELECT pg_sleep(600)")
    assert (result.jslstatus, result.jslresult) == ("d", -1)
    assert result.jsloutput == (
        "NOTICE:  begun\nDO\nERROR:  canceling statement due to user request\nStopped by the test.\n"
    )
    assert result.jslduration < 600


def test_a_cancelled_step_gets_the_status_that_was_asked_for(shared: str) -> None:
    assert stop_while_running(shared, "SELECT pg_sleep(600)", status="f").jslstatus == "f"


# A cancel request is two signals, to the backend and to its process group: the second may come while the first is handled.
STUBBORN = """
DO $$ BEGIN LOOP
    BEGIN
        BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(0.02); END;
    EXCEPTION WHEN query_canceled THEN NULL; END;
END LOOP; END $$"""


@pytest.mark.parametrize("kill", [False, True])
def test_code_that_catches_the_cancel_is_dropped_in_the_end(
    database: str, db: Db, monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    monkeypatch.setattr(sql_step, "CANCEL_REPEAT_SECONDS", 0.1)
    monkeypatch.setattr(sql_step, "CANCEL_GIVE_UP_SECONDS", 1.0)
    result = stop_while_running(database, STUBBORN, kill=kill)
    assert result.jslstatus == "d"
    assert "The server did not react to cancel requests; the session was to be ended.\n" in result.jsloutput
    assert result.jsloutput.endswith("Stopped by the test.\n")
    assert result.jslduration < 600
    assert "terminating connection due to administrator command" in result.jsloutput
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%begun%' AND pid <> pg_backend_pid()"
    assert db.execute(query).fetchone() == (0,)


def test_code_that_catches_one_cancel_gets_another(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_step, "CANCEL_REPEAT_SECONDS", 0.1)
    code = (
        "DO $$ BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN RAISE NOTICE 'once'; END $$;"
        " SELECT pg_sleep(600)"
    )
    result = stop_while_running(shared, code)
    assert "NOTICE:  once\n" in result.jsloutput
    assert "ERROR:  canceling statement due to user request\n" in result.jsloutput


def test_a_step_cancelled_before_it_starts_is_not_executed(shared: str) -> None:
    async def scenario(pool: SqlPool) -> StepResult:
        step = SqlStep(step_run("SELECT 1"), pool)
        step.cancel("Never mind.")
        return await step.execute()

    result = with_pool(shared, scenario)
    assert (result.jslstatus, result.jsloutput) == ("d", "Never mind.\n")


def test_a_step_that_waits_for_a_connection_can_be_cancelled_and_times_out(own_cluster: Cluster) -> None:
    own_cluster.stop()

    async def scenario(pool: SqlPool) -> tuple[StepResult, StepResult]:
        step = SqlStep(step_run("SELECT 1"), pool)
        async with running(step) as task:
            await until(lambda: bool(step.output_so_far()))
            step.cancel("Stopped by the test.")
            stopped = await task
        return stopped, await SqlStep(step_run("SELECT 1", jsttimeout=0.3), pool).execute()

    stopped, timed_out = with_pool(own_cluster.conninfo(), scenario)
    assert stopped.jslstatus == "d"
    assert stopped.jsloutput.endswith("Stopped by the test.\n")
    assert timed_out.jslstatus == "f"
    assert timed_out.jsloutput.endswith("The step was cancelled after its timeout of 0.3 s.\n")
    assert timed_out.jslduration >= 0.3


def test_a_step_is_cancelled_after_its_timeout(shared: str) -> None:
    [result, after] = execute(shared, "SELECT pg_sleep(600)", "SELECT 1", jsttimeout=1)
    assert (result.jslstatus, after.jslstatus) == ("f", "s")
    assert result.jsloutput == (
        "ERROR:  canceling statement due to user request\nThe step was cancelled after its timeout of 1 s.\n"
    )
    assert 1 <= result.jslduration < 600


def test_a_step_whose_task_is_cancelled_leaves_no_connection(database: str, db: Db) -> None:
    async def scenario(pool: SqlPool) -> None:
        step = SqlStep(step_run(SAY_BACKEND + "; SELECT pg_sleep(600)"), pool)
        task = asyncio.create_task(step.execute())
        await until(lambda: "backend" in step.output_so_far())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: backends(db) == 0)

    with_pool(database, scenario)


def test_closing_the_pool_ends_steps_that_run_or_wait(own_cluster: Cluster) -> None:
    async def scenario(pool: SqlPool) -> list[StepResult]:
        step = SqlStep(step_run("DO $$ BEGIN RAISE NOTICE 'begun'; END $$; SELECT pg_sleep(600)"), pool)
        away = SqlStep(step_run("SELECT 1", jstconnstr="host=127.0.0.1 port=1 connect_timeout=60"), pool)
        tasks = [asyncio.create_task(one.execute()) for one in (step, away)]
        await until(lambda: "begun" in step.output_so_far())
        await pool.close()
        return list(await asyncio.gather(*tasks))

    assert [result.jslstatus for result in with_pool(own_cluster.conninfo(), scenario)] == ["f", "f"]
