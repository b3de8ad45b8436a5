"""What an SQL step leaves behind is gone when the next one begins on its connection."""

import pytest

from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult
from tests.helpers.sql_steps import SAY_BACKEND, backend_of, execute, running, step_run, with_pool


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("code", "trace"),
    [
        ("SET work_mem = '77MB'", "SELECT current_setting('work_mem') = '77MB'"),
        ("SET search_path = pg_catalog", "SELECT current_setting('search_path') = 'pg_catalog'"),
        ("SET my.variable = 'x'", "SELECT current_setting('my.variable', true) = 'x'"),
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
