"""launcher/sql_step.py against a real server: what a step may do, what it is told, and what it returns."""

import json
import re
import time

import pytest

from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult
from tests.helpers import Cluster, Db
from tests.helpers.sql_steps import backend_of, execute, step_run, with_pool


@pytest.mark.parametrize(
    ("code", "status", "rows", "output"),
    [
        ("SELECT generate_series(1, 20)", "s", 20, "SELECT 20\n"),
        (
            "SELECT 1; SELECT generate_series(1, 3); SELECT 1 WHERE false",
            "s",
            0,
            "SELECT 1\nSELECT 3\nSELECT 0\n",
        ),
        ("CREATE TEMP TABLE t (); INSERT INTO t DEFAULT VALUES", "s", 1, "CREATE TABLE\nINSERT 0 1\n"),
        ("", "s", 0, ""),
        (";;", "s", 0, ""),
        ("-- nothing", "s", 0, ""),
        ("SELECT 1/0", "f", -1, "ERROR:  division by zero\n"),
        (
            "SELECT 1; SELECT nothing",
            "f",
            -1,
            'SELECT 1\nERROR:  column "nothing" does not exist\nLINE 1: SELECT 1; SELECT nothing\n'
            "                         ^\n",
        ),
        (
            "DO $$ BEGIN RAISE NOTICE 'n' USING DETAIL = 'd', HINT = 'h'; RAISE WARNING 'w'; END $$",
            "s",
            0,
            "NOTICE:  n\nDETAIL:  d\nHINT:  h\nWARNING:  w\nDO\n",
        ),
        (
            "DO $$ BEGIN RAISE 'bad' USING DETAIL = 'd', HINT = 'h'; END $$",
            "f",
            -1,
            "ERROR:  bad\nDETAIL:  d\nHINT:  h\nCONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE\n",
        ),
        ("COPY (SELECT 'a' UNION ALL SELECT 'b') TO STDOUT; SELECT 1", "s", 1, "a\nb\nCOPY 2\nSELECT 1\n"),
        ("SELECT 'gr\u00fcn \U0001f600'::no_type", "f", -1, None),
    ],
)
def test_a_step_returns_status_rows_and_the_servers_words(
    shared: str, code: str, status: str, rows: int, output: str | None
) -> None:
    [result] = execute(shared, code)
    assert (result.jlgid, result.jslid) == (12, 14)
    assert (result.jslstatus, result.jslresult) == (status, rows)
    if output is None:
        assert "LINE 1: SELECT 'gr\u00fcn \U0001f600'::no_type" in result.jsloutput
    else:
        assert result.jsloutput == output


def test_duration_is_the_time_in_seconds(shared: str) -> None:
    begin = time.monotonic()
    [result] = execute(shared, "SELECT pg_sleep(0.3)")
    assert 0.3 <= result.jslduration <= time.monotonic() - begin


@pytest.mark.parametrize(
    "code",
    [
        "VACUUM",
        "CREATE DATABASE made_by_step",
        "CREATE INDEX CONCURRENTLY i ON t (n)",
        "DO $$ BEGIN FOR i IN 1..3 LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP; END $$",
        "BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN; INSERT INTO t VALUES (2); COMMIT",
    ],
)
def test_steps_run_at_top_level(database: str, db: Db, code: str) -> None:
    db.execute("CREATE TABLE t (n int)")
    [result] = execute(database, code)
    assert result.jslstatus == "s", result
    db.execute("DROP DATABASE IF EXISTS made_by_step")


def test_an_error_undoes_the_statements_before_it_and_skips_those_after(database: str, db: Db) -> None:
    db.execute("CREATE TABLE t (n int)")
    [result] = execute(database, "INSERT INTO t VALUES (1); SELECT 1/0; INSERT INTO t VALUES (2)")
    assert (result.jslstatus, result.jslresult) == ("f", -1)
    assert result.jsloutput == "INSERT 0 1\nERROR:  division by zero\n"
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_code_of_twenty_megabytes_is_executed(shared: str) -> None:
    [result] = execute(shared, f"SELECT length('{'x' * 20_000_000}') / (1 - 1)")
    assert result.jsloutput == "ERROR:  division by zero\n"


def test_copy_from_stdin_gets_an_error_and_the_step_ends(database: str, db: Db) -> None:
    db.execute("CREATE TABLE t (n int)")
    [result, after] = execute(database, "COPY t FROM STDIN; SELECT 1", "SELECT 1")
    assert (result.jslstatus, after.jslstatus) == ("f", "s")
    assert "ERROR:  COPY from stdin failed: an SQL step has no standard input\n" in result.jsloutput


def test_a_replication_stream_ends_with_an_error(cluster: Cluster, shared: str) -> None:
    connstr = cluster.conninfo("postgres", replication="database")

    async def scenario(pool: SqlPool) -> StepResult:
        code = "START_REPLICATION PHYSICAL 0/1000000"
        return await SqlStep(step_run(code, jstconnstr=connstr), pool).execute()

    result = with_pool(shared, scenario)
    assert result.jslstatus == "f"
    assert "replication stream" in result.jsloutput


def test_a_step_is_told_its_ids_and_the_jobs_parameters(shared: str) -> None:
    code = (
        "DO $$ BEGIN RAISE NOTICE '% % % % % <%>', current_setting('pgagent_py.job_id'),"
        " current_setting('pgagent_py.run_id'), current_setting('pgagent_py.step_id'),"
        " current_setting('pgagent_py.parameters')::jsonb ->> 'a', current_setting('pgagent_py.due'),"
        " current_setting('pgagent_py.previous_due'); END $$"
    )
    parameters = json.dumps({"a": 'it\'s \\ "quoted" \u00fc'})
    [result] = execute(shared, code, jobparameters=parameters, due="2030-01-01T00:00:00+00:00")
    assert result.jsloutput == (
        'NOTICE:  11 12 13 it\'s \\ "quoted" \u00fc 2030-01-01T00:00:00+00:00 <>\nDO\n'
    )


@pytest.mark.usefixtures("patient")
def test_a_function_is_told_ids_and_parameters_of_the_step_that_calls_it(database: str, db: Db) -> None:
    """The step's code shows nothing of it; one without parameters has an empty object, not those of the step before."""
    db.execute(
        "CREATE FUNCTION given() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '<% %>',"
        " current_setting('pgagent_py.run_id'), current_setting('pgagent_py.parameters')::jsonb; END $$"
    )
    say = "DO $$ BEGIN RAISE NOTICE 'backend %', pg_backend_pid(); PERFORM given(); END $$"

    async def scenario(pool: SqlPool) -> list[StepResult]:
        runs = [step_run(say, jlgid=1, jobparameters='{"a": 1}'), step_run(say, jlgid=2)]
        return [await SqlStep(run, pool).execute() for run in runs]

    results = with_pool(database, scenario, workers=1)
    assert len({backend_of(result) for result in results}) == 1
    told = [re.findall("<(.*)>", result.jsloutput) for result in results]
    assert told == [['1 {"a": 1}'], ["2 {}"]]
