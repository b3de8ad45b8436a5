"""SQL steps whose statements are executed one by one."""

import asyncio
from typing import Any

import psycopg
import pytest

from launcher.sql_pool import SqlPool
from launcher.sql_step import LARGE, SqlStep
from launcher.step import StepResult
from tests.helpers.sql_steps import ASLEEP, execute, running, step_run, with_pool
from tests.helpers.steps import until


def separately(conninfo: str, code: str, **columns: Any) -> StepResult:
    """Execute the statements of a step separately."""
    (result,) = execute(conninfo, code, separately=True, **columns)
    return result


NO_TRANSACTION = """
SET maintenance_work_mem = '8MB'; VACUUM pg_class; VACUUM (ANALYZE) pg_type;
SET client_min_messages = error;
DROP TABLE IF EXISTS t; DROP PROCEDURE IF EXISTS p; CREATE TABLE t (a int);
SELECT 1; CREATE INDEX CONCURRENTLY i ON t (a);
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2); END $$;
SET work_mem = '8MB'; CALL p();
CREATE OR REPLACE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE a WHEN 1 THEN 2 END; END;
BEGIN; UPDATE t SET a = f(1) + a; UPDATE t SET a = 5 WHERE a = 4; COMMIT;
SELECT a FROM t ORDER BY 1 -- ; the end
"""


def test_statements_that_want_no_transaction_stand_beside_others(database: str) -> None:
    result = separately(database, NO_TRANSACTION)
    assert (result.jslstatus, result.jslresult) == ("s", 2), result.jsloutput
    assert result.jsloutput.splitlines()[:3] == ["SET", "VACUUM", "VACUUM"]
    (whole,) = execute(database, NO_TRANSACTION)
    assert "cannot run inside a transaction block" in whole.jsloutput


@pytest.mark.parametrize(
    ("code", "status", "rows", "output"),
    [
        ("SELECT generate_series(1, 3);\n/* done */\n;", "s", 3, "SELECT 3\n"),
        ("SELECT 1; COMMIT", "s", 0, "SELECT 1\nWARNING:  there is no transaction in progress\nCOMMIT\n"),
        ("", "s", 0, ""),
        ("\ufeff", "s", 0, ""),
        ("\ufeffSELECT 1", "s", 1, "SELECT 1\n"),
        ("-- nothing;\n /* ; */", "s", 0, ""),
        (
            "SELECT 1;\n\nSELECT 2;\nSELECT 1/0; SELECT 3",
            "f",
            -1,
            "SELECT 1\nSELECT 1\nERROR:  division by zero\nIt was the statement in line 4 of the step.\n",
        ),
        (
            "SELECT 'é;\n", "f", -1,
            "ERROR:  unterminated quoted string at or near \"'é;\n\"\nLINE 1: SELECT 'é;\n               ^\n"
            "It was the statement in line 1 of the step.\n",
        ),
        ("SELECT 1;\n\\copy t FROM x", "f", -1, "SELECT 1\n\\copy in line 2 is a command of psql, not SQL\n"),
        ("SELECT 1\\; SELECT 2; SELECT 3", "s", 1, "SELECT 1\nSELECT 1\nSELECT 1\n"),
        (
            "BEGIN; CREATE TABLE gone (); SELECT 1",
            "s", 1,
            "BEGIN\nCREATE TABLE\nSELECT 1\nThe step left a transaction open; it was rolled back.\n",
        ),
        ("SET standard_conforming_strings = off; SELECT 'a\\';\nSELECT 'a\\';b'", "f", -1, None),
        (
            "SET standard_conforming_strings = off; SET escape_string_warning = off; \nSELECT 'a\\';b'; SELECT 2",
            "s", 1, "SET\nSET\nSELECT 1\nSELECT 1\n",
        ),
        ("SET client_encoding = LATIN1; DO $$ BEGIN ASSERT length('é') = 1; END $$", "s", 0, "SET\nDO\n"),
        (
            "SET client_encoding = LATIN1;\nSELECT '\u20ac'", "f", -1,
            'SET\nthe character "\u20ac" in the statement in line 2 is not in the client_encoding that is set\n',
        ),
    ],
)  # fmt: skip
def test_a_step_returns_status_rows_and_the_servers_words(
    shared: str, code: str, status: str, rows: int, output: str | None
) -> None:
    result = separately(shared, code)
    assert (result.jslstatus, result.jslresult) == (status, rows), result.jsloutput
    assert output is None or result.jsloutput == output


def test_copy_data_is_refused_and_what_follows_is_not_executed(shared: str) -> None:
    result = separately(shared, "CREATE TEMP TABLE t (a text);\nCOPY t FROM STDIN;\na\n\\.\nSELECT 1;")
    assert (result.jslstatus, result.jslresult) == ("f", -1)
    assert "an SQL step has no standard input" in result.jsloutput
    assert result.jsloutput.endswith("It was the statement in line 2 of the step.\n")


def test_ids_parameters_and_kept_rows_are_as_in_other_steps_and_the_session_ends_fresh(shared: str) -> None:
    code = """
        DO $$ BEGIN ASSERT current_setting('pgagent_py.job_id') = '11'; END $$;
        DO $$ BEGIN ASSERT current_setting('pgagent_py.step_id') = '13'; END $$;
        DO $$ BEGIN ASSERT current_setting('pgagent_py.parameters')::jsonb ->> 'a' = 'b;'; END $$;
        SELECT 1 AS one; SELECT 'x' AS a UNION ALL SELECT 'y'; CREATE TEMP TABLE t (); SET work_mem = '9MB';
        LISTEN c; BEGIN"""

    async def scenario(pool: SqlPool) -> list[StepResult]:
        return [
            await SqlStep(
                step_run(code, separately=True, jobparameters='{"a": "b;"}', keep_rows=1), pool
            ).execute(),
            await SqlStep(step_run("SELECT * FROM pg_listening_channels()"), pool).execute(),
            await SqlStep(step_run("SELECT 'pg_temp.t'::regclass"), pool).execute(),
        ]

    first, second, third = with_pool(shared, scenario, workers=1)
    assert first.jslstatus == "s", first.jsloutput
    assert first.kept is not None
    assert (first.kept.columns, first.kept.rows, first.kept.total) == (["a"], [["x"]], 2)
    assert (second.jslresult, third.jslstatus) == (0, "f")


@pytest.mark.parametrize("filler", ["", f"/*{'x' * LARGE}*/"])
def test_a_cancelled_step_goes_on_with_no_statement(shared: str, filler: str) -> None:
    """Not even when the statement that was cancelled has caught that."""
    code = f"""{filler}
        SELECT 1;
        DO $$ BEGIN RAISE NOTICE 'begun'; PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN NULL; END $$;
        SELECT 2"""

    async def scenario(pool: SqlPool) -> StepResult:
        step = SqlStep(step_run(code, separately=True), pool)
        async with running(step) as task:
            with psycopg.connect(shared, autocommit=True) as looking:
                await until(lambda: looking.execute(ASLEEP, ["%begun%"]).rowcount == 1)
            step.cancel("Stopped by the test.")
            return await task

    result = with_pool(shared, scenario)
    assert (result.jslstatus, result.jslresult) == ("d", -1)
    assert result.jsloutput == "SELECT 1\nNOTICE:  begun\nDO\nStopped by the test.\n"


def test_the_timeout_is_that_of_the_whole_step(shared: str) -> None:
    result = separately(shared, "SELECT pg_sleep(0.3);" * 2000, jsttimeout=1.0)
    assert result.jslstatus == "f"
    assert result.jsloutput.count("SELECT 1\n") < 2000
    assert result.jsloutput.endswith("The step was cancelled after its timeout of 1 s.\n")


def test_a_large_text_does_not_hold_up_others(shared: str) -> None:
    """While its end is looked for, a step beside it runs from its beginning to its end."""
    code = "SELECT 1 WHERE " + "(" * 400_000

    async def scenario(pool: SqlPool) -> int:
        large = asyncio.create_task(SqlStep(step_run(code, separately=True), pool).execute())
        others = 0
        while not large.done():
            result = await SqlStep(step_run("SELECT 1"), pool).execute()
            others += result.jslstatus == "s"
        assert (await large).jslstatus == "f"
        return others

    assert with_pool(shared, scenario) > 1
