"""What a turn costs: more jobs cost no more each, and a slow machine makes no turn dearer than the jobs are."""

import json
import statistics
from typing import LiteralString

import pytest

from plpython.runs.in_use import FEATURES
from tests.helpers import Db, value
from tests.helpers.protocol import Agent

DUE: LiteralString = """
WITH job AS (
    INSERT INTO pgagent.pga_job (jobjclid, jobname, jobhostagent, jobnextrun)
    SELECT 1, 'job ' || g, %s, now() FROM generate_series(1, %s) g RETURNING jobid)
INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstkind, jstcode, jstdbname)
SELECT job.jobid, 'step', 's', 'SELECT 1', current_database() FROM job"""
CLAIM = "SELECT count(*) FROM pgagent_py.run_due({})"
BOOK = """
SELECT count(*) FROM pgagent_py.run_due(0, ARRAY(
       SELECT (r.jlgid, r.jslid, 's', 1, interval '1 ms', '')::pgagent_py.step_result FROM pgagent_py.run r LIMIT {}))"""
MEMORY = "DO LANGUAGE plpython3u 'import sys; plpy.notice(sys.getallocatedblocks())'"
SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END';
CREATE TRIGGER slow AFTER INSERT ON pgagent.pga_joblog FOR EACH STATEMENT EXECUTE FUNCTION slow()"""


def blocks(db: Db, query: str) -> int:
    """Return how many blocks a query reads, with all that its functions and triggers execute."""
    plan = value(db, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")
    top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


@pytest.mark.parametrize("options", [False, True])
def test_of_many_jobs_each_costs_no_more_than_of_few(db: Db, agent: Agent, options: bool) -> None:
    db.execute(DUE, ["", 1000])
    if options:  # then there is something to choose by
        db.execute(
            "INSERT INTO pgagent_py.job_option (jobid, jobpriority) SELECT jobid, 1 FROM pgagent.pga_job"
        )
    db.execute("VACUUM ANALYZE")  # while none is in progress
    for _ in range(2):  # the first look at each thing reads more
        agent.run_due(5)
        blocks(agent.db, BOOK.format(5))
    for query in (CLAIM, BOOK):
        few, many = (blocks(agent.db, query.format(n)) / n for n in (20, 200))
        assert many < 1.25 * few
    assert value(db, "SELECT count(*) FROM pgagent_py.run") == 0


def test_where_many_are_due_most_turns_look_at_few_of_them(db: Db, agent: Agent) -> None:
    db.execute(DUE, ["", 1000])
    db.execute(
        "INSERT INTO pgagent_py.job_option (jobid, jobpriority) SELECT jobid, jobid % 5 FROM pgagent.pga_job"
    )
    costs = []
    for _ in range(20):
        costs.append(blocks(agent.db, CLAIM.format(5)))
        blocks(agent.db, BOOK.format(5))
    assert statistics.median(costs) < max(costs) / 5
    first = "SELECT count(*) FROM pgagent.pga_job WHERE jobid % 5 = 4 AND joblastrun IS NOT NULL"
    assert value(db, first) == 100  # all of them of the highest priority


@pytest.mark.parametrize("options", [False, True])
def test_turns_leave_nothing_behind_in_their_backend(db: Db, agent: Agent, options: bool) -> None:
    """In Python's own memory, that is: PostgreSQL's goes with the transaction."""
    said: list[str] = []
    agent.db.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
    db.execute(DUE, ["", 300])
    if options:
        db.execute(
            "INSERT INTO pgagent_py.job_option (jobid, jobpriority) SELECT jobid, 1 FROM pgagent.pga_job"
        )

    def blocks_after(turns: int) -> int:
        for _ in range(turns):
            agent.db.execute(CLAIM.format(1))
            agent.db.execute(BOOK.format(1))
        agent.db.execute(MEMORY)
        return int(said[-1])

    assert blocks_after(50) + 100 > blocks_after(200)


def chooses(agent: Agent) -> bool:
    """Return whether a turn of the agent's chooses: then it wants to be the only one that counts places."""
    with agent.db.transaction():
        agent.run_due(1)
        return bool(
            value(
                agent.db,
                "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'pgagent_py.job_limit'::regclass"
                " AND mode = 'ShareUpdateExclusiveLock'",
            )
        )


@pytest.mark.parametrize("elsewhere", [0, 500])
def test_only_many_due_jobs_of_others_make_a_slow_claim_look_at_a_part_of_them(
    db: Db, agent: Agent, elsewhere: int
) -> None:
    db.execute(SLOW)
    db.execute(DUE, ["elsewhere", elsewhere])
    db.execute(DUE, ["", 1])
    assert not chooses(agent)
    db.execute(DUE, ["", 1])
    assert len(agent.run_due(5)) == 1
    assert chooses(agent) == (elsewhere > 0)


def test_what_tells_a_turn_which_features_are_in_use_has_a_size(db: Db) -> None:
    kinds = "SELECT c.relkind FROM unnest(%s::text[]) t (name) JOIN pg_class c ON c.oid = t.name::regclass"
    assert db.execute(kinds, [list(FEATURES)]).fetchall() == [("r",)] * len(FEATURES)
