"""Atomic steps: their effects and their log entry are committed together, or neither is."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult, StepRun
from tests.helpers import Cluster, Db, forms
from tests.helpers.sql_steps import SAY_BACKEND, running, step_run, with_pool
from tests.helpers.steps import until


@pytest.fixture
def agent(db: Db) -> Db:
    """Return a connection that is registered as a launcher."""
    db.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'here')")
    db.execute("CREATE TABLE effect (n int)")
    return db


def hand_out(agent: Db, code: str) -> StepRun:
    """Let a new job with an atomic step fall due; return the step, as run_due hands it out."""
    row = agent.execute("SELECT pgagent_py.add_job('atomic')").fetchone()
    assert row
    agent.execute("SELECT pgagent_py.add_step(%s, 'step', sql => %s, atomic => true)", [row[0], code])
    agent.execute("UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid = %s", row)
    handed = agent.execute(
        "SELECT jobid, jlgid, jstid, jslid, jobname, jstname, jstkind, jstcode, jstdbname, jstconnstr, jstatomic"
        " FROM pgagent_py.run_due(1)"
    ).fetchall()
    assert len(handed) == 1
    run = StepRun(*handed[0])
    assert run.jstatomic
    return run


def booked(agent: Db, run: StepRun) -> Any:
    """Return what the step's log entry says, and the effects of its code."""
    row = agent.execute(
        "SELECT jslstatus, jslresult, jsloutput, (SELECT array_agg(n ORDER BY n) FROM effect)"
        " FROM pgagent.pga_jobsteplog WHERE jslid = %s",
        [run.jslid],
    ).fetchone()
    assert row
    return row


def execute_run(conninfo: str, run: StepRun) -> StepResult:
    """Execute a step that was handed out."""
    return with_pool(conninfo, lambda pool: SqlStep(run, pool).execute())


@pytest.mark.parametrize(
    "code",
    [
        "INSERT INTO effect VALUES (1), (2)",
        "SELECT 1; INSERT INTO effect VALUES (1), (2)",
        "SAVEPOINT s; SELECT 1; ROLLBACK TO s; INSERT INTO effect VALUES (1), (2)",
        "INSERT INTO effect VALUES (1), (2); RESET ALL",
        "SET client_encoding = 'LATIN1'; INSERT INTO effect VALUES (1), (2)",
        "SET standard_conforming_strings = off; SET search_path = pg_temp; INSERT INTO public.effect VALUES (1), (2)",
        "DO $$ BEGIN RAISE NOTICE 'it''s \\'; END $$; INSERT INTO effect VALUES (1), (2)",
        "INSERT INTO effect VALUES (1), (2); SET ROLE pg_monitor",
        "INSERT INTO effect VALUES (1), (2); SET SESSION AUTHORIZATION pg_monitor; SET ROLE pg_read_all_stats",
        # What is deferred to the end happens with the rights of the role that the step has set
        "CREATE TABLE late (n int); GRANT INSERT ON late, effect TO pg_monitor; CREATE FUNCTION late() RETURNS trigger"
        " LANGUAGE plpgsql AS $$BEGIN INSERT INTO effect VALUES (CASE current_user WHEN 'pg_monitor' THEN 2 END);"
        " RETURN NULL; END$$; CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        " EXECUTE FUNCTION late(); INSERT INTO effect VALUES (1); SET ROLE pg_monitor; INSERT INTO late VALUES (1)",
    ],
)
def test_an_atomic_step_is_booked_with_its_effects(database: str, agent: Db, code: str) -> None:
    run = hand_out(agent, code)
    result = execute_run(database, run)
    assert result.jslstatus == "s", result
    status, _, output, effects = booked(agent, run)
    assert (status, output, effects) == ("s", result.jsloutput, [1, 2])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("INSERT INTO effect VALUES (1); SELECT 1/0", "ERROR:  division by zero"),
        ("INSERT INTO effect VALUES (1); ROLLBACK", "The step ended its transaction"),
        ("INSERT INTO effect VALUES (1); ROLLBACK; BEGIN", "The step ended its transaction"),
        (
            "INSERT INTO effect VALUES (1); ROLLBACK AND CHAIN; INSERT INTO effect VALUES (2)",
            "ended its transaction",
        ),
        ("VACUUM", "ERROR:  VACUUM cannot run inside a transaction block"),
        ("DO $$ BEGIN COMMIT; END $$", "ERROR:  invalid transaction termination"),
        ("INSERT INTO effect VALUES (1); UPDATE pgagent.pga_jobsteplog SET jslstatus = 'd'", "ERROR:  "),
        (
            "CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO effect VALUES (1);"
            " INSERT INTO late VALUES (1), (1)",
            "ERROR:  duplicate key value",
        ),
        (
            "INSERT INTO effect VALUES (1); SELECT pg_terminate_backend(pg_backend_pid())",
            "FATAL:  terminating",
        ),
    ],
)
def test_an_atomic_step_that_fails_has_no_effect_and_no_entry(
    database: str, agent: Db, code: str, words: str
) -> None:
    run = hand_out(agent, code)
    result = execute_run(database, run)
    assert (result.jslstatus, result.jslresult) == ("f", -1)
    assert words in result.jsloutput
    assert booked(agent, run) == ("r", None, None, None)


def test_an_atomic_step_that_commits_by_itself_fails_and_is_told_so(database: str, agent: Db) -> None:
    for code in ("INSERT INTO effect VALUES (1); COMMIT", "COMMIT; BEGIN", "COMMIT AND CHAIN; SELECT 1"):
        run = hand_out(agent, code)
        result = execute_run(database, run)
        assert result.jslstatus == "f"
        assert "What it committed stays." in result.jsloutput
        assert booked(agent, run)[0] == "r"
        agent.execute(
            "SELECT FROM pgagent_py.run_due(0, ARRAY[(%s, %s, 'f', -1, NULL, '')::pgagent_py.step_result])",
            [run.jlgid, run.jslid],
        )


def test_an_atomic_step_whose_run_was_closed_has_no_effect(database: str, agent: Db) -> None:
    run = hand_out(agent, "INSERT INTO effect VALUES (1)")
    agent.execute("UPDATE pgagent.pga_jobsteplog SET jslstatus = 'd' WHERE jslid = %s", [run.jslid])
    result = execute_run(database, run)
    assert result.jslstatus == "f"
    assert booked(agent, run)[3] is None


def test_a_cancelled_atomic_step_has_no_effect_and_no_entry(database: str, agent: Db) -> None:
    run = hand_out(agent, f"INSERT INTO effect VALUES (1); {SAY_BACKEND}; SELECT pg_sleep(600)")

    async def scenario(pool: SqlPool) -> StepResult:
        step = SqlStep(run, pool)
        async with running(step) as task:
            await until(lambda: "backend" in step.output_so_far())
            step.cancel("Stopped by the test.")
            return await task

    assert with_pool(database, scenario).jslstatus == "d"
    assert booked(agent, run) == ("r", None, None, None)


def test_an_atomic_step_in_a_database_with_another_encoding(cluster: Cluster) -> None:
    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            with cluster.connect("latin") as latin:
                latin.execute("CREATE EXTENSION pgagent_py CASCADE")
                latin.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'here')")
                latin.execute("CREATE TABLE effect (n int)")
                latin.execute("SET client_encoding = 'UTF8'")
                # A character of three bytes, cut in two by the limit on the output, and one of LATIN1
                code = "INSERT INTO effect VALUES (1); COPY (SELECT repeat('\u00fc', 50) UNION ALL SELECT '\u00e9') TO STDOUT"
                run = hand_out(latin, code)
                result = with_pool(cluster.conninfo("latin"), lambda pool: SqlStep(run, pool, 41).execute())
                assert result.jslstatus == "s", result
                assert booked(latin, run)[0] == "s"
                assert booked(latin, run)[3] == [1]
        finally:
            admin.execute("DROP DATABASE latin WITH (FORCE)")


@forms(60, 1500)
def test_backends_killed_at_random_leave_effect_and_entry_or_neither(
    database: str, agent: Db, size: int
) -> None:
    """At any time between a step's start and its end, however long that takes here."""
    outcomes: Counter[str] = Counter()
    duration = 0.0
    for attempt in range(size):
        run = hand_out(agent, f"INSERT INTO effect VALUES ({1000 + attempt}) -- {attempt}")

        async def scenario(
            pool: SqlPool, run: StepRun = run, pause: float = random.uniform(0, 1.5) * duration
        ) -> StepResult:
            await SqlStep(step_run("SELECT 1"), pool).execute()
            async with running(SqlStep(run, pool)) as task:
                if not pause:  # the first step is left alone
                    return await task
                await asyncio.sleep(pause)
                query = (
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'pgagent-py' AND datname = current_database()"
                )
                await asyncio.to_thread(agent.execute, query)
                return await task

        result = with_pool(database, scenario)
        duration = duration or result.jslduration
        status, _, _, effects = booked(agent, run)
        assert (1000 + attempt in (effects or [])) == (status == "s"), (attempt, result)
        if result.jslstatus == "s":
            assert status == "s"
        outcomes[status] += 1
        if status == "r":
            agent.execute(
                "SELECT FROM pgagent_py.run_due(0, ARRAY[(%s, %s, 'f', -1, NULL, '')::pgagent_py.step_result])",
                [run.jlgid, run.jslid],
            )
    print("outcomes:", outcomes)
    assert outcomes.keys() == {"r", "s"}
