"""Ids of runs and steps in progress, whatever users do with the log."""

import pytest

from tests.helpers import Db
from tests.helpers.protocol import Agent, done, due_job

RESTARTS = {
    "runs": "TRUNCATE pgagent.pga_joblog RESTART IDENTITY CASCADE",
    "steps": "TRUNCATE pgagent.pga_jobsteplog RESTART IDENTITY",
    "undone": "BEGIN; TRUNCATE pgagent.pga_joblog RESTART IDENTITY CASCADE; ROLLBACK",
}


@pytest.mark.parametrize("restart", RESTARTS.values(), ids=RESTARTS.keys())
def test_ids_of_runs_and_steps_in_progress_are_not_given_again(agent: Agent, db: Db, restart: str) -> None:
    for name in ("x", "y"):
        due_job(db, name, "ab")
    steps = agent.run_due(2)
    db.execute(restart.encode())
    for name in ("v", "w"):
        due_job(db, name, "ab")
    steps += agent.run_due(2)
    assert len(steps) == 4
    again = agent.run_due(4, *map(done, steps))
    for field in ("jlgid", "jslid"):
        assert len({getattr(step, field) for step in steps}) == 4
    assert not {step.jslid for step in steps} & {step.jslid for step in again}
    wanted = {"v", "w"} if "joblog" in restart and "ROLLBACK" not in restart else {"v", "w", "x", "y"}
    assert {step.jobname for step in again} == wanted
    assert agent.run_due(4, *map(done, again)) == []
    assert db.execute("SELECT count(*) FROM pgagent_py.run").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM pgagent_py.problem").fetchone() == (0,)
