"""launcher/idle.py: a database that a step has just used is free when somebody wants it for himself."""

import asyncio

import psycopg
import pytest

from launcher.idle import LOOK_SECONDS
from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.step import StepResult
from tests.helpers import Cluster
from tests.helpers.sql_steps import SAY_BACKEND, WAIT_AT_GATE, backend_of, gate_of, step_run, with_pool
from tests.helpers.steps import until


async def execute(pool: SqlPool, code: str, **columns: str) -> StepResult:
    return await SqlStep(step_run(code, **columns), pool).execute()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP DATABASE wanted",
        "ALTER DATABASE wanted RENAME TO wanted_2",
        "ALTER DATABASE wanted SET TABLESPACE pg_default",
        "CREATE DATABASE wanted_2 TEMPLATE wanted",
    ],
)
def test_the_next_step_has_the_database_for_itself(cluster: Cluster, shared: str, statement: str) -> None:
    """Also when several steps have used it, with a connection string too; what is warm elsewhere stays warm."""

    async def scenario(pool: SqlPool) -> tuple[StepResult, set[int]]:
        with gate_of(cluster.conninfo("wanted")) as gate:
            places = [{"jstdbname": "wanted"}] * 2 + [{"jstconnstr": cluster.conninfo("wanted")}]
            tasks = [asyncio.create_task(execute(pool, WAIT_AT_GATE, **place)) for place in places]
            await gate.holds(3)
        await asyncio.gather(*tasks)
        before = await execute(pool, SAY_BACKEND, jstdbname="postgres")
        wants = await execute(pool, statement)
        after = await execute(pool, SAY_BACKEND, jstdbname="postgres")
        return wants, {backend_of(before), backend_of(after)}

    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE wanted")
        try:
            result, backends = with_pool(shared, scenario, workers=8)
        finally:
            admin.execute("DROP DATABASE IF EXISTS wanted WITH (FORCE)")
            admin.execute("DROP DATABASE IF EXISTS wanted_2 WITH (FORCE)")
    assert result.jslstatus == "s", result.jsloutput
    assert len(backends) == 1


def test_it_is_found_at_any_time(cluster: Cluster, shared: str) -> None:
    """Long after the step, too; until then the connection stays."""

    async def scenario(pool: SqlPool) -> bool:
        first = await execute(pool, SAY_BACKEND, jstdbname="wanted")
        begin = asyncio.get_running_loop().time()
        await until(lambda: pool._idle._looked_at > begin + 2 * LOOK_SECONDS)
        second = await execute(pool, SAY_BACKEND, jstdbname="wanted")
        async with await psycopg.AsyncConnection.connect(cluster.conninfo(), autocommit=True) as admin:
            await admin.execute("DROP DATABASE wanted")
        return backend_of(first) == backend_of(second)

    with cluster.connect() as admin:
        admin.execute("CREATE DATABASE wanted")
        try:
            assert with_pool(shared, scenario)
        finally:
            admin.execute("DROP DATABASE IF EXISTS wanted WITH (FORCE)")
